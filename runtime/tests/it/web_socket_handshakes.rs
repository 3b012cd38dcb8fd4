//! Opening handshakes of WebSockets: which requests begin a session, and over which connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message, client};
use tower_service::Service as _;
use zerver::StartOptions;
use zerver_trace::{CaptureSink, Outcome};

use crate::collector::{Collector, ended, start};
use crate::http2;
use crate::raw_client::{self, PATIENCE, get};
use crate::tls::Authority;
use crate::web_socket_app::{Probe, app, close_of, end_of, start_app};

#[test]
fn steps_decide_whether_a_session_begins() {
    let (server, collector, _) = start_app();
    let addr = server.addr();
    let request = ClientRequestBuilder::new(format!("ws://{addr}/echo/ann").parse().unwrap());
    let denied =
        client(request.clone().with_header("authorization", "Bearer no"), TcpStream::connect(addr).unwrap());
    assert!(denied.unwrap_err().to_string().contains("401"));
    let cross = client(
        request.clone().with_header("origin", "https://evil.example"),
        TcpStream::connect(addr).unwrap(),
    );
    assert!(cross.unwrap_err().to_string().contains("403"));
    let (_, response) = client(request.with_sub_protocol("v1"), TcpStream::connect(addr).unwrap()).unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "v1");
    assert!(response.headers().contains_key("x-request-id"));
    // A request without an upgrade is answered, and its connection stays open.
    let mut plain = raw_client::Client::connect(addr);
    let answer = plain.request(get("/echo/ann"));
    assert_eq!((answer.status, answer.header("upgrade")), (426, Some("websocket")));
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    assert!(answer.body.contains("speaks WebSocket only"), "{}", answer.body);
    assert!(answer.body.contains(r#""title":"Upgrade Required","status":426"#), "{}", answer.body);
    assert_eq!(plain.request(get("/echo/ann")).status, 426);
    for capture in collector.wait_for(4).iter().filter(|capture| capture.status != 101) {
        assert_eq!(ended(capture), (String::new(), vec![]), "no session has begun");
    }
}

#[test]
fn messages_that_arrive_with_the_request_are_not_lost() {
    let (server, _, _) = start_app();
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "GET /echo/ann HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend_from_slice(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    socket.write_all(&bytes).unwrap();
    let (mut answer, mut some) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"ann: hi") {
        let read = socket.read(&mut some).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&some[..read]);
    }
    let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    // The example of RFC 6455, section 1.3.
    assert!(answer.starts_with("http/1.1 101 switching protocols\r\n"), "{answer}");
    assert!(answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{answer}");
    assert!(!answer.contains("content-length") && !answer.contains("transfer-encoding"), "{answer}");
}

#[test]
fn sessions_run_over_tls() {
    let authority = Authority::new();
    let (cert, key) = authority.issue("a", "a.example", 4000);
    let (server, collector) = start(app(&Arc::default()).tls(cert, key));
    let stream = authority.connect(server.addr(), "a.example").unwrap();
    let mut client = client("wss://a.example/echo/ann", stream).unwrap().0;
    let long = "x".repeat(500_000);
    client.send(Message::text(long.clone())).unwrap();
    assert_eq!(client.read().unwrap(), Message::text(format!("ann: {long}")));
    client.send(Message::text("return")).unwrap();
    assert_eq!(close_of(&mut client), Some((1000, String::new())));
    assert_eq!(end_of(&collector, 0).0, Outcome::Done);
}

#[test]
fn there_are_no_sessions_over_http2() {
    let (server, _, _) = start_app();
    http2::block_on(async {
        let mut client = http2::connect(server.addr()).await;
        let request = http2::request("GET", "/echo/ann", "");
        let (status, _, body) = http2::fetch(&mut client, request).await;
        let body = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(status, 400);
        assert!(body.contains("needs HTTP/1.1"), "{body}");
    });
}

#[test]
fn a_mounted_flow_refuses_sessions() {
    let collector = Arc::new(Collector::default());
    let sink: Arc<dyn CaptureSink> = collector.clone();
    let options = StartOptions { sink: Some(sink), ..StartOptions::default() };
    let flows = app(&Arc::default()).workers(1).mount_with(options).unwrap();
    let request = ::http::Request::get("/echo/ann")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(String::new())
        .unwrap();
    let status = http2::block_on(async { flows.all().call(request).await.unwrap().status() });
    assert_eq!(status, 500);
    let capture = collector.one();
    let Outcome::Failed(failure) = &capture.outcome else { panic!("{:?}", capture.outcome) };
    assert!(failure.message.contains("served by another server"), "{failure:?}");
    assert_eq!(ended(&capture), (String::new(), vec![]));
}

#[test]
fn a_test_shows_which_session_a_flow_begins() {
    let probe = Arc::new(Probe::default());
    let response = app(&probe).test("echo").get("/echo/ann").websocket().run();
    response.assert_status(101);
    assert_eq!(format!("{:?}", response.stream().unwrap().call()), r#"echo {name: "ann"}"#);
    app(&probe).test("echo").get("/echo/ann").run().assert_status(426);
}
