//! Sessions over WebSockets: messages in both directions, every way in which a session ends, and what the trace says.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use zerver::Limits;
use zerver_trace::{Event, LogLevel, Outcome, Value};

use crate::collector::{ended, start};
use crate::raw_client::PATIENCE;
use crate::web_socket_app::{Probe, app, close_of, connect, end_of, start_app};

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
        let (outcome, status, answer, is_undelivered) = end_of(&collector, at);
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
        let (outcome, _, answer, _) = end_of(&collector, at);
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
    let (outcome, status, answer, is_undelivered) = end_of(&collector, 0);
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
    assert!(end_of(&collector, 0).2.contains("sent: {messages: 200, bytes: 13107200,"));
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
    let (outcome, _, answer, _) = end_of(&collector, 0);
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
    assert!(end_of(&collector, 0).2.contains("closed_by: client"));
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
        let (outcome, _, answer, is_undelivered) = end_of(&collector, at);
        assert_eq!((outcome, is_undelivered), (Outcome::Done, false));
        assert!(answer.contains("closed_by: service, code: 1001"), "{answer}");
    }
}
