//! Compressed responses, and compressed bodies of requests.

use std::io::{Read, Write as _};
use std::net::TcpStream;

use zerver::prelude::*;
use zerver::{Compression, Limits, Server};
use zerver_trace::MessageInfo;

use crate::collector::{request, start};
use crate::raw_client::PATIENCE;

const TEXT: &str = "the same words again and again, ";

fn text(times: usize) -> String {
    TEXT.repeat(times)
}

#[step]
fn repeat(request: &Request) -> Result<Response, Failure> {
    let response = Response::text(text(request.param("times")?)).etag("v1").ranges();
    Ok(match request.query_as::<String>("type")? {
        None => response,
        Some(content_type) => response.header("content-type", &content_type),
    })
}

#[step]
fn encoded() -> Response {
    Response::text(text(100)).header("content-encoding", "gzip").header("vary", "Origin")
}

#[step]
fn untouched() -> Response {
    Response::text(text(100)).header("cache-control", "public, no-transform")
}

#[step]
fn varied() -> Response {
    Response::text(text(100)).header("vary", "Origin, Accept-Encoding")
}

#[stream]
async fn lines(count: u64, to: StreamSender<JsonLine<(u64, &'static str)>>) {
    for number in 0..count {
        to.send(JsonLine((number, TEXT))).await;
    }
}

#[stream]
async fn event(to: StreamSender<ServerEvent>) {
    to.send(ServerEvent::new(TEXT)).await;
}

#[step]
fn send_lines() -> Response {
    Response::stream(lines(1_000))
}

#[step]
fn send_event() -> Response {
    Response::stream(event())
}

#[step]
fn count(request: &Request) -> Response {
    let is_encoded = request.headers.contains_key("content-encoding");
    Response::text(format!("{} {is_encoded}", request.body.len()))
}

fn app() -> App {
    App::new()
        .flow(flow!("repeat", GET "/repeat/{times}", steps: [repeat]))
        .flow(flow!("secret", GET "/secret/{times}", steps: [repeat]).uncompressed())
        .flow(flow!("encoded", GET "/encoded", steps: [encoded]))
        .flow(flow!("untouched", GET "/untouched", steps: [untouched]))
        .flow(flow!("varied", GET "/varied", steps: [varied]))
        .flow(flow!("lines", GET "/lines", steps: [send_lines]))
        .flow(flow!("event", GET "/event", steps: [send_event]))
        .flow(flow!("count", POST "/count", steps: [count]))
        .effect::<lines>()
        .effect::<event>()
        .compression(Compression { responses: true, requests: true, ..Compression::default() })
}

struct Received {
    head: String,
    body: Vec<u8>,
}

impl Received {
    fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns the content, without its coding.
    fn content(&self) -> String {
        String::from_utf8(decode(self.header("content-encoding").unwrap_or_default(), &self.body)).unwrap()
    }
}

fn decode(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut decoded).unwrap(),
        "br" => brotli::Decompressor::new(body, 4096).read_to_end(&mut decoded).unwrap(),
        "zstd" => zstd::stream::read::Decoder::new(body).unwrap().read_to_end(&mut decoded).unwrap(),
        "" => body.to_vec().as_slice().read_to_end(&mut decoded).unwrap(),
        other => panic!("{other}"),
    };
    decoded
}

/// Sends one request over HTTP/1.0, so that no body is in chunks.
fn send(server: &Server, request: &str, body: &[u8]) -> Received {
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(format!("{request}content-length: {}\r\n\r\n", body.len()).as_bytes()).unwrap();
    socket.write_all(body).unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = bytes.split_off(end);
    Received { head: String::from_utf8(bytes).unwrap(), body }
}

fn get(server: &Server, path: &str, accept: &str) -> Received {
    send(server, &format!("GET {path} HTTP/1.0\r\naccept-encoding: {accept}\r\n"), b"")
}

#[test]
fn responses_are_compressed_as_the_client_accepts() {
    let (server, collector) = start(app());
    for (at, (accept, coding)) in
        [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, deflate, br, zstd", "zstd")]
            .iter()
            .enumerate()
    {
        // The second is too long for the worker itself.
        for times in [100, 10_000] {
            let received = get(&server, &format!("/repeat/{times}"), accept);
            assert_eq!(received.header("content-encoding"), Some(*coding), "{accept} {times}");
            assert_eq!(received.content(), text(times), "{accept} {times}");
            assert!(
                received.body.len() < TEXT.len() * times / 5,
                "{accept} {times}: {}",
                received.body.len()
            );
            assert_eq!(received.header("content-length"), Some(&*received.body.len().to_string()));
            assert_eq!(
                (received.header("vary"), received.header("etag")),
                (Some("accept-encoding"), Some("W/\"v1\""))
            );
            assert_eq!(received.header("accept-ranges"), None, "a part would be one of the compressed bytes");
        }
        // What is recorded is what the step has made.
        let capture = &collector.wait_for(2 * at + 2)[2 * at];
        let MessageInfo::Response(response) = capture.response.as_ref().unwrap().describe(usize::MAX) else {
            panic!()
        };
        assert_eq!(response.body.bytes, text(100).as_bytes());
        assert!(response.headers.iter().all(|header| header.name != "content-encoding"));
    }
}

#[test]
fn other_responses_are_sent_as_they_are() {
    let (server, _) = start(app());
    for path in [
        "/repeat/1",
        "/repeat/100?type=image/png",
        "/repeat/100?type=application/zip",
        "/secret/100",
        "/encoded",
        "/untouched",
        "/event",
    ] {
        let received = get(&server, path, "gzip");
        let expected = if path == "/encoded" { Some("gzip") } else { None };
        assert_eq!(received.header("content-encoding"), expected, "{path}");
        assert!(String::from_utf8(received.body).unwrap().contains(TEXT.trim_end()), "{path}");
    }
    for accept in ["identity", "gzip;q=0", ""] {
        assert_eq!(get(&server, "/repeat/100", accept).header("content-encoding"), None, "{accept}");
    }
    let part =
        send(&server, "GET /repeat/100 HTTP/1.0\r\naccept-encoding: gzip\r\nrange: bytes=0-9\r\n", b"");
    assert_eq!((part.status(), part.header("content-encoding")), (206, None));
    let known = "GET /repeat/100 HTTP/1.0\r\naccept-encoding: gzip\r\nif-none-match: W/\"v1\"\r\n";
    assert_eq!(send(&server, known, b"").status(), 304);
    let head = send(&server, "HEAD /repeat/100 HTTP/1.0\r\naccept-encoding: gzip\r\n", b"");
    assert_eq!((head.header("content-encoding"), head.body.len()), (None, 0));
    assert_eq!(get(&server, "/varied", "gzip").header("vary"), Some("Origin, Accept-Encoding"));
    for content_type in
        ["application/json", "application/problem%2Bjson;%20x", "image/svg%2Bxml", "TEXT/HTML"]
    {
        let received = get(&server, &format!("/repeat/100?type={content_type}"), "gzip");
        assert_eq!(received.header("content-encoding"), Some("gzip"), "{content_type}");
    }
}

#[test]
fn streams_are_compressed_item_by_item() {
    let (server, collector) = start(app());
    let expected: String = (0..1_000).map(|number| format!("[{number},\"{TEXT}\"]\n")).collect();
    for (at, coding) in ["gzip", "br", "zstd"].into_iter().enumerate() {
        let received = get(&server, "/lines", coding);
        assert_eq!(received.header("content-encoding"), Some(coding));
        assert_eq!(received.content(), expected, "{coding}");
        assert!(received.body.len() < expected.len(), "{coding}: {}", received.body.len());
        let capture = &collector.wait_for(at + 1)[at];
        let MessageInfo::Response(response) = capture.response.as_ref().unwrap().describe(usize::MAX) else {
            panic!()
        };
        assert_eq!(response.body.full_len, expected.len() as u64, "the length of what the stream made");
        assert!(!capture.is_undelivered);
    }
}

fn compressed(coding: &str, bytes: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" | "x-gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 9, 22);
            encoder.write_all(bytes).unwrap();
            encoder.into_inner()
        }
        _ => zstd::bulk::compress(bytes, 19).unwrap(),
    }
}

#[test]
fn bodies_of_requests_are_decompressed_within_their_limit() {
    let (server, collector) = start(app().limits(Limits { body_bytes: 100_000, ..Limits::default() }));
    let post = |coding: &str, body: &[u8]| {
        send(&server, &format!("POST /count HTTP/1.0\r\ncontent-encoding: {coding}\r\n"), body)
    };
    for coding in ["gzip", "x-gzip", "br", "zstd", "GZIP"] {
        let body = compressed(&coding.to_lowercase(), text(1_000).as_bytes());
        assert_eq!(post(coding, &body).content(), "32000 false", "{coding}");
        // A bomb: 4 MiB in a few bytes.
        let bomb = compressed(&coding.to_lowercase(), &vec![0; 4 << 20]);
        assert!(bomb.len() < 100_000, "{coding}");
        assert_eq!(post(coding, &bomb).status(), 413, "{coding}");
        let mut cut = body.clone();
        cut.truncate(body.len() / 2);
        assert_eq!(post(coding, &cut).status(), 400, "{coding}: a part of a body");
        assert_eq!(post(coding, b"not compressed").status(), 400, "{coding}");
    }
    // The recorded request is the one that the step has read.
    assert_eq!(request(&collector.wait_for(1)[0]).1, text(1_000).as_bytes());
    assert_eq!(post("identity", b"plain").content(), "5 false");
    let refused = post("deflate", b"x");
    assert_eq!((refused.status(), refused.header("accept-encoding")), (415, Some("zstd, br, gzip")));
    let twice = compressed("gzip", &compressed("gzip", b"x"));
    assert_eq!(post("gzip, gzip", &twice).status(), 415);
}

#[test]
fn nothing_is_compressed_unless_it_is_asked_for() {
    let (server, _) = start(app().compression(Compression::default()));
    assert_eq!(get(&server, "/repeat/100", "gzip").header("content-encoding"), None);
    let body = compressed("gzip", b"x");
    let posted = send(&server, "POST /count HTTP/1.0\r\ncontent-encoding: gzip\r\n", &body);
    assert_eq!(posted.content(), format!("{} true", body.len()));
}
