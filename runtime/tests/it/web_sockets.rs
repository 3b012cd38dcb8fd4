//! WebSockets: handshakes, messages in both directions, every way in which a session ends, and what the trace says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Error, Message, WebSocket as Client, client};
use tower_service::Service as _;
use zerver::effects::websocket::WebSocketClosed;
use zerver::prelude::*;
use zerver::{Limits, Server, StartOptions};
use zerver_trace::{CaptureSink, Event, LogLevel, Outcome, Value};

use crate::collector::{Collector, ended, start};
use crate::http2;
use crate::raw_client::{self, PATIENCE, get};
use crate::tls::Authority;

/// State that the sessions of a service share with its test.
#[derive(Default)]
struct Probe {
    sent: AtomicU64,
    proceed: Notify,
    /// Receives a message when a session is dropped or ends.
    ended: std::sync::Mutex<Option<Sender<()>>>,
}

struct OnDrop<'p>(&'p Probe);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.ended.lock().unwrap().iter().for_each(|ended| ended.send(()).unwrap());
    }
}

/// Sends each message back, and obeys some texts.
#[websocket]
async fn echo(name: String, mut socket: WebSocket) -> Result<(), String> {
    while let Some(message) = socket.receive().await {
        match message.as_text() {
            Some("fail") => return Err("the room is gone".to_owned()),
            Some("panic") => panic!("a bug in a session"),
            Some("return") => return Ok(()),
            Some("leave") => {
                socket.close(4001, "you asked for it").await;
                return Ok(());
            }
            Some(text) => socket.send(format!("{name}: {text}")).await.map_err(|error| error.to_string())?,
            None => socket.send(message).await.map_err(|error| error.to_string())?,
        }
    }
    Ok(())
}

/// Sends messages as fast as the client takes them.
#[websocket]
async fn flood(count: u64, #[resource] probe: &Arc<Probe>, socket: WebSocket) -> Result<(), WebSocketClosed> {
    let _on_drop = OnDrop(probe);
    for _ in 0..count {
        socket.send(vec![0; 64 << 10]).await?;
        probe.sent.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Receives nothing until the test says so.
#[websocket]
async fn hold(#[resource] probe: &Arc<Probe>, mut socket: WebSocket) {
    let _on_drop = OnDrop(probe);
    probe.proceed.notified().await;
    while let Some(message) = socket.receive().await {
        probe.sent.fetch_add(message.as_bytes().len() as u64, Ordering::SeqCst);
    }
}

#[step]
fn check_token(request: &Request) -> Result<(), Failure> {
    match request.header("authorization") {
        Some("Bearer no") => Err(Failure::unauthorized("token")),
        _ => Ok(()),
    }
}

#[step]
fn open_echo(Path(name): Path<String>) -> Response {
    Response::websocket(echo(name).protocols(&["v2", "v1"]).max_message(1 << 20))
}

#[step]
fn open_flood(Path(count): Path<u64>) -> Response {
    Response::websocket(flood(count))
}

#[step]
fn open_hold() -> Response {
    Response::websocket(hold())
}

fn app(probe: &Arc<Probe>) -> App {
    App::new()
        .flow(flow!("echo", GET "/echo/{name}", steps: [check_token, open_echo]))
        .flow(flow!("flood", GET "/flood/{count}", steps: [open_flood]))
        .flow(flow!("hold", GET "/hold", steps: [open_hold]))
        .effect::<echo>()
        .effect::<flood>()
        .effect::<hold>()
        .resource(Arc::clone(probe))
        .stuck_after(1.hours())
}

fn start_app() -> (Server, Arc<Collector>, Arc<Probe>) {
    let probe = Arc::new(Probe::default());
    let (server, collector) = start(app(&probe));
    (server, collector, probe)
}

fn connect(addr: SocketAddr, path: &str) -> Client<TcpStream> {
    let socket = TcpStream::connect(addr).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    client(format!("ws://{addr}{path}"), socket).unwrap().0
}

/// Receives what is left, up to the close of the service. Returns its code and its reason, or `None` if the connection is lost.
fn close_of<S: Read + Write>(client: &mut Client<S>) -> Option<(u16, String)> {
    let mut close = None;
    loop {
        match client.read() {
            Ok(Message::Close(frame)) => {
                close = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
            }
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return close,
            Err(_) => return close,
        }
    }
}

fn texts(collector: &Collector, at: usize) -> (Outcome, u16, String, bool) {
    let capture = &collector.wait_for(at + 1)[at];
    (capture.outcome.clone(), capture.status, ended(capture).0, capture.is_undelivered)
}

#[test]
fn messages_go_both_ways_and_are_recorded() {
    let (server, collector, _) = start_app();
    let mut client = connect(server.addr(), "/echo/ann");
    client.send(Message::text(r#"{"password":"hunter2"}"#)).unwrap();
    assert_eq!(client.read().unwrap(), Message::text(r#"ann: {"password":"hunter2"}"#));
    client.send(Message::binary(vec![1, 255])).unwrap();
    assert_eq!(client.read().unwrap(), Message::binary(vec![1, 255]));
    client.send(Message::Ping(vec![7].into())).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong(vec![7].into()));
    // A message in several frames.
    let part = |text: &str, op, is_last| Frame::message(text.to_owned(), OpCode::Data(op), is_last);
    client.send(Message::Frame(part("one ", Data::Text, false))).unwrap();
    client.send(Message::Frame(part("two", Data::Continue, true))).unwrap();
    assert_eq!(client.read().unwrap(), Message::text("ann: one two"));
    client.close(Some(CloseFrame { code: 1000.into(), reason: "done".into() })).unwrap();
    assert_eq!(close_of(&mut client), Some((1000, "done".to_owned())));
    let capture = collector.one();
    assert_eq!((&capture.outcome, capture.status, capture.is_undelivered), (&Outcome::Done, 101, false));
    let (answer, points) = ended(&capture);
    assert_eq!(points, ["opened"]);
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex()[..32].to_owned();
    let received = [br#"{"password":"hunter2"}"#, &[1, 255][..], b"one two"].concat();
    assert!(
        answer.starts_with(&format!(
            r#"{{received: {{messages: 3, bytes: 31, hash: "{}"}}, sent: {{messages: 3, bytes: 41,"#,
            hash(&received)
        )),
        "{answer}"
    );
    assert!(answer.contains(r#"closed_by: client, code: 1000, reason: "done""#), "{answer}");
    assert!(answer.contains(r#"content: {"password": "hunter2"}"#), "{answer}");
    assert!(answer.contains(r#"is_text: false, content: "01ff"}"#), "{answer}");
}

#[test]
fn the_output_of_a_session_can_be_read_back() {
    let (server, collector, _) = start_app();
    let mut client = connect(server.addr(), "/echo/ann");
    for text in ["[1, null]", "text"] {
        client.send(Message::text(text)).unwrap();
        client.read().unwrap();
    }
    client.close(None).unwrap();
    close_of(&mut client);
    let capture = collector.one();
    let output = capture.events.iter().find_map(|event| match event {
        Event::EffectCompleted { answer: zerver_trace::Answer::Ok(output), .. } => Some(output),
        _ => None,
    });
    let value = Value::from_recordable(&**output.unwrap()).unwrap();
    let end: zerver::engine::WebSocketEnd = value.to_typed().unwrap();
    assert_eq!((end.code, end.first.len()), (1005, 4));
    assert_eq!(end.first[0].content, serde_json::json!([1, null]));
    assert_eq!(end.first[3].content, "ann: text");
}

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
fn each_end_of_the_function_closes_the_socket() {
    let (server, collector, _) = start_app();
    for (at, (text, code, reason)) in
        [("return", 1000, ""), ("leave", 4001, "you asked for it"), ("fail", 1011, ""), ("panic", 1011, "")]
            .into_iter()
            .enumerate()
    {
        let mut client = connect(server.addr(), "/echo/ann");
        client.send(Message::text(text)).unwrap();
        assert_eq!(close_of(&mut client), Some((code, reason.to_owned())), "{text}");
        let (outcome, status, answer, is_undelivered) = texts(&collector, at);
        assert_eq!((status, is_undelivered), (101, false), "{text}");
        let lines: Vec<_> = collector.wait_for(at + 1)[at]
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Logged { level: LogLevel::Info, line, .. } => {
                    Some(Value::from_recordable(&**line).unwrap().to_string())
                }
                _ => None,
            })
            .collect();
        match text {
            "fail" | "panic" => {
                assert!(matches!(outcome, Outcome::Failed(_)), "{text}: {outcome:?}");
                let expected = if text == "fail" { "the room is gone" } else { "a bug in a session" };
                assert!(answer.contains(expected), "{answer}");
                assert_eq!(
                    lines,
                    [r#""1 message received, 0 sent, closed by the service (1011)""#],
                    "{text}"
                );
            }
            _ => {
                assert_eq!((outcome, lines.len()), (Outcome::Done, 0), "{text}");
                assert!(answer.contains(&format!("closed_by: service, code: {code}")), "{answer}");
            }
        }
    }
}

#[test]
fn clients_that_break_the_protocol_are_told_so() {
    let (server, collector, _) = start_app();
    let unmasked = [0x81, 1, b'x'].as_slice();
    let not_utf8 = [0x81, 0x81, 0, 0, 0, 0, 0xff].as_slice();
    let too_long = [0x82, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0].as_slice();
    let reserved = [0x83, 0x80, 0, 0, 0, 0].as_slice();
    for (at, (bytes, code)) in
        [(unmasked, 1002), (not_utf8, 1007), (too_long, 1009), (reserved, 1002)].into_iter().enumerate()
    {
        let mut client = connect(server.addr(), "/echo/ann");
        client.get_mut().write_all(bytes).unwrap();
        assert_eq!(close_of(&mut client), Some((code, String::new())), "{code}");
        let (outcome, _, answer, _) = texts(&collector, at);
        assert_eq!(outcome, Outcome::Done);
        assert!(answer.contains(&format!("closed_by: service, code: {code}")), "{answer}");
    }
}

#[test]
fn a_client_that_leaves_ends_the_session() {
    let (server, collector, _) = start_app();
    let mut client = connect(server.addr(), "/echo/ann");
    client.send(Message::text("before")).unwrap();
    client.read().unwrap();
    drop(client);
    let (outcome, status, answer, is_undelivered) = texts(&collector, 0);
    assert_eq!((outcome, status, is_undelivered), (Outcome::Done, 101, false));
    assert!(answer.contains("closed_by: nobody, code: 1006"), "{answer}");
    assert!(answer.contains("received: {messages: 1"), "{answer}");
}

#[test]
fn every_message_before_the_end_arrives() {
    let (server, collector, _) = start_app();
    let mut client = connect(server.addr(), "/flood/200");
    for at in 0..200 {
        assert_eq!(client.read().unwrap().len(), 64 << 10, "{at}");
    }
    assert_eq!(close_of(&mut client), Some((1000, String::new())));
    assert!(texts(&collector, 0).2.contains("sent: {messages: 200, bytes: 13107200,"));
}

#[test]
fn a_client_that_does_not_read_holds_the_session() {
    let probe = Arc::new(Probe::default());
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let limits = Limits { write_stall: Duration::from_millis(200), ..Limits::default() };
    let (server, collector) = start(app(&probe).limits(limits));
    let client = connect(server.addr(), "/flood/1000000");
    dropped.recv().unwrap();
    let (outcome, _, answer, _) = texts(&collector, 0);
    assert_eq!(outcome, Outcome::Done);
    assert!(
        answer.contains(r#"closed_by: nobody, code: 1006, reason: "the client does not read""#),
        "{answer}"
    );
    // Of 64 GB, only what the buffers of the system and of the service hold was sent.
    let sent = probe.sent.load(Ordering::SeqCst);
    assert!(sent < 1_000, "{sent} messages of 64 KiB");
    drop(client);
}

#[test]
fn a_session_that_does_not_receive_holds_its_client() {
    let (server, collector, probe) = start_app();
    let mut client = connect(server.addr(), "/hold");
    client.get_ref().set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut sent: u64 = 0;
    let message = vec![0; 64 << 10];
    let error = loop {
        match client.send(Message::binary(message.clone())) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 1_000, "nothing holds the client");
    };
    assert!(matches!(error, Error::Io(_)), "{error}");
    client.get_ref().set_write_timeout(Some(PATIENCE)).unwrap();
    probe.proceed.notify_one();
    // The rest of the message that was held.
    while client.flush().is_err() {}
    client.close(None).unwrap();
    close_of(&mut client);
    assert!(texts(&collector, 0).2.contains("closed_by: client"));
    assert_eq!(probe.sent.load(Ordering::SeqCst), (sent + 1) << 16);
}

#[test]
fn sessions_end_when_the_service_stops() {
    let (server, collector, _) = start_app();
    let mut clients: Vec<_> = (0..5).map(|_| connect(server.addr(), "/echo/ann")).collect();
    for client in &mut clients {
        client.send(Message::text("one")).unwrap();
        client.read().unwrap();
    }
    let stopping = std::thread::spawn(move || server.stop());
    for client in &mut clients {
        assert_eq!(close_of(client), Some((1001, "the service stops".to_owned())));
    }
    stopping.join().unwrap();
    for at in 0..5 {
        let (outcome, _, answer, is_undelivered) = texts(&collector, at);
        assert_eq!((outcome, is_undelivered), (Outcome::Done, false));
        assert!(answer.contains("closed_by: service, code: 1001"), "{answer}");
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
    assert_eq!(texts(&collector, 0).0, Outcome::Done);
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
