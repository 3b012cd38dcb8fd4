//! HTTP/2 with prior knowledge.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use zerver::Limits;
use zerver::effects::sleep;
use zerver::prelude::*;
use zerver_trace::Outcome;

use crate::collector::{origin, start};
use crate::raw_client::PATIENCE;

#[step]
fn echo(request: &Request) -> Response {
    Response::text(format!("{:?} {}", request.version, String::from_utf8_lossy(&request.body)))
}

#[step]
fn wait(request: &Request) -> Result<Decision<()>, Failure> {
    Ok(Need(sleep(request.param::<u64>("ms")?.millis())))
}

#[step]
fn zeros(request: &Request) -> Result<Response, Failure> {
    Ok(Response::text("0".repeat(request.param("bytes")?)))
}

fn app() -> App {
    App::new()
        .flow(flow!("echo", POST "/echo", steps: [echo]))
        .flow(flow!("wait", GET "/wait/{ms}", steps: [wait, echo]))
        .flow(flow!("zeros", GET "/zeros/{bytes}", steps: [zeros]))
}

pub(crate) type Sender = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

pub(crate) async fn connect(addr: SocketAddr) -> Sender {
    let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn request(method: &str, target: &str, body: &str) -> ::http::Request<Full<Bytes>> {
    let uri = format!("http://test{target}");
    ::http::Request::builder().method(method).uri(uri).body(Full::from(body.to_owned())).unwrap()
}

pub(crate) async fn fetch(
    sender: &mut Sender,
    request: ::http::Request<Full<Bytes>>,
) -> (u16, ::http::HeaderMap, Bytes) {
    sender.ready().await.unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    (head.status.as_u16(), head.headers, body.collect().await.unwrap().to_bytes())
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn many_requests_share_a_connection() {
    let (server, collector) = start(app());
    block_on(async {
        let mut sender = connect(server.addr()).await;
        let (status, headers, body) = fetch(&mut sender, request("POST", "/echo", "hello")).await;
        assert_eq!((status, &body[..]), (200, b"HTTP/2.0 hello".as_slice()));
        assert!(headers.contains_key("x-request-id") && !headers.contains_key("connection"));
        // A slow request does not delay other requests.
        let mut slow = sender.clone();
        let slow = tokio::spawn(async move { fetch(&mut slow, request("GET", "/wait/60000", "")).await });
        let (status, headers, body) = fetch(&mut sender, request("HEAD", "/zeros/5", "")).await;
        assert_eq!((status, headers["content-length"].as_bytes(), body.len()), (200, b"5".as_slice(), 0));
        assert_eq!(fetch(&mut sender, request("GET", "/zeros/3000000", "")).await.2.len(), 3_000_000);
        assert_eq!(fetch(&mut sender, request("DELETE", "/echo", "")).await.0, 405);
        slow.abort();
    });
    let captures = collector.wait_for(5);
    // The origin comes from `:scheme` and `:authority`.
    assert!(captures.iter().all(|capture| origin(capture) == "http://test"));
    let gone = &captures[4];
    assert_eq!((gone.flow.name.as_str(), &gone.outcome), ("wait", &Outcome::ClientLeft { step: 0 }));
}

#[test]
fn hosts_and_sizes_are_checked() {
    let (server, _) = start(app().allow_host("test").limits(Limits { body_bytes: 10, ..Limits::default() }));
    block_on(async {
        let mut sender = connect(server.addr()).await;
        let with_host = |host: &str| {
            let mut request = request("POST", "/echo", "");
            request.headers_mut().insert("host", host.parse().unwrap());
            request
        };
        assert_eq!(fetch(&mut sender, with_host("test")).await.0, 200);
        assert_eq!(fetch(&mut sender, with_host("other")).await.0, 400);
        let mut other = request("POST", "/echo", "");
        *other.uri_mut() = "http://other/echo".parse().unwrap();
        assert_eq!(fetch(&mut sender, other).await.0, 421);
        assert_eq!(fetch(&mut sender, request("POST", "/echo", "01234567890")).await.0, 413);
        let mut large = request("POST", "/echo", "");
        large.headers_mut().insert("x", "x".repeat(40_000).parse().unwrap());
        let (status, headers, _) = fetch(&mut sender, large).await;
        assert!(status == 431 && headers.contains_key("x-request-id"), "{status} {headers:?}");
    });
}

/// A client that sends frames.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let mut raw = Self(TcpStream::connect(addr).unwrap());
        raw.0.set_read_timeout(Some(PATIENCE)).unwrap();
        raw.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        raw.frame(4, 0, 0, &[]).unwrap();
        raw
    }

    pub(crate) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame)
    }

    /// Sends the headers of a request, with the static table and literals of HPACK. The flag `end` ends the stream.
    pub(crate) fn headers(&mut self, method: u8, path: &str, stream: u32, end: bool) -> std::io::Result<()> {
        let mut block = vec![method, 0x86, 0x01, 4];
        block.extend(b"test");
        block.extend([0x04, u8::try_from(path.len()).unwrap()]);
        block.extend(path.as_bytes());
        self.frame(1, if end { 5 } else { 4 }, stream, &block)
    }

    /// Waits until the other side has read everything, and returns what was received meanwhile.
    pub(crate) fn ping(&mut self) -> Vec<u8> {
        const ACK: &[u8] = b"\0\0\x08\x06\x01\0\0\0\0zerver!!";
        self.frame(6, 0, 0, b"zerver!!").unwrap();
        let mut received = Vec::new();
        while !received.windows(ACK.len()).any(|frame| frame == ACK) {
            let mut buffer = [0; 4096];
            let read = self.0.read(&mut buffer).unwrap();
            assert!(read > 0, "closed: {received:?}");
            received.extend_from_slice(&buffer[..read]);
        }
        received
    }

    fn wait_for_close(&mut self) {
        loop {
            match self.0.read(&mut [0; 4096]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("still open: {error}"),
            }
        }
    }
}

pub(crate) const GET: u8 = 0x82;
const POST: u8 = 0x83;

#[test]
fn a_request_without_a_host_or_with_two_is_rejected() {
    let (server, collector) = start(app());
    let mut raw = Raw::connect(server.addr());
    // GET, http, /echo, and no authority.
    raw.frame(1, 5, 1, &[GET, 0x86, 0x04, 5, b'/', b'e', b'c', b'h', b'o']).unwrap();
    assert_eq!(collector.one().status, 400);
    block_on(async {
        let mut sender = connect(server.addr()).await;
        let mut two = request("POST", "/echo", "");
        for _ in 0..2 {
            two.headers_mut().append("host", "test".parse().unwrap());
        }
        assert_eq!(fetch(&mut sender, two).await.0, 400);
    });
    let reasons: Vec<_> = collector.wait_for(2).iter().map(|capture| capture.outcome.clone()).collect();
    let reason = |fault: &str| Outcome::Rejected { reason: format!("invalid host: {fault}") };
    assert_eq!(reasons, [reason("the header is missing"), reason("the header is repeated")]);
}

#[test]
fn after_a_half_close_requests_that_do_not_wait_are_answered() {
    let (server, collector) = start(app().deadline(1.hours()));
    let mut raw = Raw::connect(server.addr());
    raw.headers(GET, "/zeros/3", 1, true).unwrap();
    raw.headers(GET, "/wait/3600000", 3, true).unwrap();
    raw.0.shutdown(std::net::Shutdown::Write).unwrap();
    let mut got = Vec::new();
    let _ = raw.0.read_to_end(&mut got);
    // DATA with 3 bytes, which ends stream 1.
    assert!(got.windows(12).any(|frame| frame == b"\0\0\x03\0\x01\0\0\0\x01000"), "{got:?}");
    let outcomes: Vec<_> = collector.wait_for(2).iter().map(|capture| capture.outcome.clone()).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::ClientLeft { step: 0 }]);
}

#[test]
fn headers_are_counted_as_in_http1() {
    let (server, collector) = start(app());
    block_on(async {
        let mut sender = connect(server.addr()).await;
        let with = |name: fn(usize) -> String, count: usize| {
            let mut many = request("POST", "/echo", "");
            for at in 0..count {
                let name: ::http::HeaderName = name(at).parse().unwrap();
                many.headers_mut().append(name, "1".parse().unwrap());
            }
            many
        };
        assert_eq!(fetch(&mut sender, with(|at| format!("x-{at}"), 99)).await.0, 200);
        let (status, headers, body) = fetch(&mut sender, with(|at| format!("x-{at}"), 101)).await;
        assert!(status == 431 && headers.contains_key("x-request-id"), "{status} {headers:?} {body:?}");
        assert_eq!(fetch(&mut sender, with(|_| "x".to_owned(), 101)).await.0, 431);
        assert_eq!(
            fetch(&mut sender, with(|_| "cookie".to_owned(), 150)).await.0,
            200,
            "pieces of a cookie count as one header"
        );
    });
    let reason = "too_large headers: more than 32768 bytes, or more than 100 headers";
    let outcome = &collector.wait_for(2)[1].outcome;
    assert_eq!(*outcome, Outcome::Rejected { reason: reason.to_owned() });
}

/// Splits bytes into frames: the kind, the stream and the payload of each.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u32, &[u8])> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(len) else { break };
        frames.push((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload));
        bytes = rest;
    }
    frames
}

#[test]
fn streams_over_the_limit_are_refused_and_the_others_continue() {
    const OVER: u32 = 1000;
    let limits = Limits { streams: 3, ..Limits::default() };
    let (server, collector) = start(app().limits(limits).deadline(1.hours()));
    let mut raw = Raw::connect(server.addr());
    for stream in [1, 3, 5] {
        raw.headers(GET, "/wait/3600000", stream, true).unwrap();
    }
    let mut got = Vec::new();
    for at in 0..OVER {
        // Some streams have a body, which the client sends before it learns of the refusal.
        let (stream, has_body) = (7 + 2 * at, at % 4 == 0);
        raw.headers(POST, "/echo", stream, !has_body).unwrap();
        if has_body {
            raw.frame(0, 1, stream, b"hi").unwrap();
        }
        if at % 100 == 99 {
            got.extend(raw.ping());
        }
    }
    let refused = |(kind, _, payload): &&(u8, u32, &[u8])| *kind == 3 && *payload == [0, 0, 0, 7];
    let frames = frames(&got);
    assert_eq!(frames.iter().filter(refused).count(), OVER as usize, "REFUSED_STREAM");
    assert!(frames.iter().all(|(kind, ..)| *kind != 7), "no GOAWAY");
    // The reset of a running stream makes room for another.
    raw.frame(3, 0, 1, &[0, 0, 0, 8]).unwrap();
    raw.ping();
    raw.headers(GET, "/zeros/3", 7 + 2 * OVER, true).unwrap();
    let captures = collector.wait_for(2);
    assert_eq!([captures[0].status, captures[1].status], [0, 200]);
}

#[test]
fn trailers_with_pseudo_headers_are_rejected() {
    let (server, collector) = start(app());
    let mut raw = Raw::connect(server.addr());
    let mut post = |stream, trailers: &[u8]| {
        raw.headers(POST, "/echo", stream, false).unwrap();
        raw.frame(0, 0, stream, b"hi").unwrap();
        raw.frame(1, 5, stream, trailers).unwrap();
    };
    post(1, b"\0\x01x\x01y");
    post(3, &[0x88]);
    post(5, &[0x82, 0x84]);
    let mut statuses: Vec<_> =
        collector.wait_for(3).iter().map(|capture| (capture.id, capture.status)).collect();
    statuses.sort_unstable();
    assert_eq!(statuses.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [200, 400, 400]);
}

#[test]
fn an_idle_connection_is_closed() {
    let limits = Limits { keep_alive: Duration::from_millis(100), ..Limits::default() };
    let (server, _) = start(app().limits(limits));
    Raw::connect(server.addr()).wait_for_close();
}

#[test]
fn a_connection_whose_client_does_not_read_is_closed() {
    let limits = Limits { write_stall: Duration::from_millis(100), ..Limits::default() };
    let (server, collector) = start(app().limits(limits));
    let mut raw = Raw::connect(server.addr());
    // The window of the client is 64 KiB, and the client never enlarges it.
    raw.headers(GET, "/zeros/3000000", 1, true).unwrap();
    assert_eq!(collector.one().status, 200);
    raw.wait_for_close();
}

#[test]
fn a_flood_ends_only_its_own_connection() {
    let (server, _) = start(app());
    let flood = |send: &mut dyn FnMut(&mut Raw, u32) -> std::io::Result<()>| {
        let mut raw = Raw::connect(server.addr());
        let started = Instant::now();
        let mut at = 0;
        while send(&mut raw, at).is_ok() {
            at += 1;
            assert!(started.elapsed() < PATIENCE, "still open after {at}");
        }
    };
    // Resets (CVE-2023-44487).
    flood(&mut |raw, at| {
        raw.headers(GET, "/wait/60000", 2 * at + 1, true)?;
        raw.frame(3, 0, 2 * at + 1, &[0, 0, 0, 8])
    });
    // CONTINUATION (CVE-2024-27316).
    flood(&mut |raw, at| {
        let block = [&[0x00, 1, b'x', 127, 0xff, 0x07][..], &[b'y'; 1000]].concat();
        if at == 0 { raw.frame(1, 0, 1, &[GET]) } else { raw.frame(9, 0, 1, &block) }
    });
    // Empty DATA (CVE-2019-9518).
    flood(&mut |raw, at| {
        if at == 0 { raw.headers(POST, "/echo", 1, false) } else { raw.frame(0, 0, 1, &[]) }
    });
    block_on(async {
        let mut sender = connect(server.addr()).await;
        assert_eq!(fetch(&mut sender, request("POST", "/echo", "")).await.0, 200);
    });
}
