//! Connections that a proxy announces (the PROXY protocol).

use std::io::{Read, Write};
use std::time::Duration;

use zerver::prelude::*;
use zerver::{Limits, Proxies, StartError, StartOptions};

use crate::collector::start;
use crate::raw_client::{Client, get};
use crate::tls::Authority;

#[step]
fn peer(request: &Request) -> Response {
    Response::text(request.peer.map(|peer| peer.to_string()).unwrap_or_default())
}

fn app(trusted: &str) -> App {
    let proxies = Proxies { trusted: vec![trusted.to_owned()], protocol: true, ..Proxies::default() };
    App::new().flow(flow!("peer", GET "/peer", steps: [peer])).proxies(proxies)
}

const VERSION_1: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n";

/// The same in version 2.
fn version_2() -> Vec<u8> {
    let addresses = [203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x67, 1, 0xbb];
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(), &addresses].concat()
}

#[test]
fn the_announced_client_is_the_peer_of_each_request() {
    let (server, _) = start(app("127.0.0.1"));
    for header in [VERSION_1.to_vec(), version_2()] {
        let mut client = Client::connect(server.addr());
        client.send(header);
        assert_eq!(client.request(get("/peer")).body, "203.0.113.7:4711");
        assert_eq!(client.request(get("/peer")).body, "203.0.113.7:4711");
        // The client is no proxy, so what it claims does not matter.
        let claims = "GET /peer HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 198.51.100.1\r\n\r\n";
        assert_eq!(client.request(claims).body, "203.0.113.7:4711");
    }
    // The proxy may check the health of the service.
    let mut client = Client::connect(server.addr());
    client.send(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    assert!(client.request(get("/peer")).body.starts_with("127.0.0.1:"));
}

#[test]
fn a_proxy_that_announces_nothing_is_refused() {
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let (server, collector) = start(app("127.0.0.1").limits(limits));
    for bytes in
        [get("/peer").as_bytes(), b"PROXY TCP4 nonsense\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", b"PROX"]
    {
        let mut client = Client::connect(server.addr());
        let _ = client.try_send(bytes);
        assert!(client.is_closed(), "{}", String::from_utf8_lossy(bytes));
    }
    let mut client = Client::connect(server.addr());
    client.send(VERSION_1);
    assert_eq!(client.request(get("/peer")).status, 200);
    assert_eq!(collector.wait_for(1).len(), 1, "nothing else was a request");
}

#[test]
fn others_cannot_announce_themselves() {
    let (server, _) = start(app("10.0.0.0/8"));
    let mut client = Client::connect(server.addr());
    assert!(client.request(get("/peer")).body.starts_with("127.0.0.1:"));
    for header in [VERSION_1.to_vec(), version_2()] {
        let mut client = Client::connect(server.addr());
        let _ = client.try_send(&[header, get("/peer").as_bytes().to_vec()].concat());
        assert_eq!(client.answer().unwrap().status, 400);
        assert!(client.is_closed());
    }
}

#[test]
fn tls_follows_the_header() {
    let authority = Authority::new();
    let (cert, key) = authority.issue("a", "a.example", 4000);
    let (server, _) = start(app("127.0.0.1").tls(cert, key));
    let mut socket = std::net::TcpStream::connect(server.addr()).unwrap();
    socket.write_all(&version_2()).unwrap();
    let mut stream = authority.handshake(socket, "a.example").unwrap();
    write!(stream, "GET /peer HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("203.0.113.7:4711"), "{answer}");
}

#[test]
fn some_proxy_must_be_trusted() {
    let app = App::new().proxies(Proxies { protocol: true, ..Proxies::default() });
    let options = StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..StartOptions::default() };
    assert!(matches!(app.start(options), Err(StartError::UntrustedProxies)));
}
