//! Clients of streams: those that leave, do not read, come back, or share a connection, and services that stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::Duration;

use http_body_util::BodyExt as _;
use zerver::Limits;
use zerver_trace::{Event, LogLevel, Outcome, Value};

use crate::collector::{ended, start};
use crate::http2;
use crate::raw_client::{Client, get};
use crate::streaming_app::{Probe, app, lines, start_app};

#[test]
fn a_client_that_leaves_ends_the_stream() {
    let (server, collector, probe) = start_app();
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let mut client = Client::connect(server.addr());
    client.send(get("/zeros/1000000"));
    assert!(client.is_answered_within(crate::raw_client::PATIENCE));
    drop(client);
    dropped.recv().unwrap();
    let capture = collector.one();
    assert_eq!((&capture.outcome, capture.status), (&Outcome::ClientLeft { step: 0 }, 200));
    assert!(capture.is_undelivered);
    assert_eq!(ended(&capture).0, "canceled");
    // An endless stream has no other end.
    let mut client = Client::connect(server.addr());
    let head = client.request(get("/events"));
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(client.chunk().as_deref(), Some("id: 0\ndata: event 0\n\n"));
    drop(client);
    dropped.recv().unwrap();
    let capture = &collector.wait_for(2)[1];
    assert_eq!((&capture.outcome, ended(capture).0.as_str()), (&Outcome::Done, "canceled"));
}

#[test]
fn a_client_continues_where_it_lost_its_connection() {
    let (server, _, probe) = start_app();
    let mut client = Client::connect(server.addr());
    client.request("GET /events HTTP/1.1\r\nhost: a\r\nlast-event-id: 41\r\n\r\n");
    assert_eq!(client.chunk().as_deref(), Some("id: 42\ndata: event 42\n\n"));
    probe.proceed.notify_one();
    assert_eq!(client.chunk().as_deref(), Some("id: 43\ndata: event 43\n\n"));
    let mut other = Client::connect(server.addr());
    other.request("GET /events HTTP/1.1\r\nhost: a\r\nlast-event-id: of another stream\r\n\r\n");
    assert_eq!(other.chunk().as_deref(), Some("id: 0\ndata: event 0\n\n"));
}

#[test]
fn a_client_that_does_not_read_holds_the_stream() {
    let probe = Arc::new(Probe::default());
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let limits = Limits { write_stall: Duration::from_millis(200), ..Limits::default() };
    let (server, collector) = start(app(&probe).limits(limits));
    let mut client = Client::connect(server.addr());
    client.send(get("/zeros/1000000"));
    // The service closes the connection of a client that never reads.
    dropped.recv().unwrap();
    let capture = collector.one();
    assert_eq!(capture.outcome, Outcome::ClientLeft { step: 0 });
    // Of 64 GB, only what the buffers of the system and of the service hold was made.
    let made = probe.made.load(Ordering::SeqCst);
    assert!(made < 1_000, "{made} blocks of 64 KiB");
    let line = capture.events.iter().find_map(|event| match event {
        Event::Logged { level: LogLevel::Info, line, .. } => Value::from_recordable(&**line).ok(),
        _ => None,
    });
    assert!(line.is_none_or(|line| line.to_string().contains("waited for the client")));
}

#[test]
fn a_client_may_close_its_side_and_read_on() {
    let (server, collector, _) = start_app();
    let mut client = Client::connect(server.addr());
    client.send(get("/zeros/100"));
    client.half_close();
    assert_eq!(client.answer().unwrap().body.len(), 100 << 16);
    assert!(!collector.one().is_undelivered);
}

#[test]
fn endless_streams_end_when_the_service_stops() {
    let (server, collector, _) = start_app();
    let mut client = Client::connect(server.addr());
    client.request(get("/events"));
    client.chunk().unwrap();
    let stopping = std::thread::spawn(move || server.stop());
    assert_eq!(client.chunks(), (String::new(), true));
    assert!(client.is_closed());
    stopping.join().unwrap();
    let capture = collector.one();
    assert_eq!((&capture.outcome, capture.is_undelivered), (&Outcome::Done, false));
}

#[test]
fn an_old_client_gets_the_body_until_the_connection_closes() {
    let (server, _, _) = start_app();
    let mut client = Client::connect(server.addr());
    client.send("GET /rows/2 HTTP/1.0\r\n\r\n");
    let head = client.head_answer().unwrap();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
    assert_eq!(client.rest(), lines(2));
}

#[test]
fn streams_of_http2_share_a_connection() {
    let probe = Arc::new(Probe::default());
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let limits = Limits { write_stall: Duration::from_millis(300), ..Limits::default() };
    let (server, collector) = start(app(&probe).limits(limits));
    let mut dropped_later = None;
    http2::block_on(async {
        let mut client = http2::connect(server.addr()).await;
        let mut events = client.send_request(http2::request("GET", "/events", "")).await.unwrap().into_body();
        let first = events.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "id: 0\ndata: event 0\n\n");
        let (status, _, body) = http2::fetch(&mut client, http2::request("GET", "/rows/1000", "")).await;
        assert_eq!((status, &body[..]), (200, lines(1000).as_bytes()));
        let (_, headers, body) = http2::fetch(&mut client, http2::request("GET", "/zeros/100", "")).await;
        assert_eq!((headers["content-length"].as_bytes(), body.len()), (b"6553600".as_slice(), 100 << 16));
        // A stream that has nothing to send is not one whose client does not read. Such a client loses its connection later.
        let mut unread = Client::connect(server.addr());
        unread.send(get("/zeros/1000000"));
        let dropped = tokio::task::spawn_blocking(move || {
            // The first of them has ended already.
            dropped.recv().unwrap();
            dropped.recv().unwrap();
            dropped
        });
        dropped_later = Some(dropped.await.unwrap());
        probe.proceed.notify_one();
        let second = events.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(second, "id: 1\ndata: event 1\n\n");
        let broken = client.send_request(http2::request("GET", "/rows/2?fails", "")).await.unwrap();
        let mut broken = broken.into_body();
        let mut received = Vec::new();
        let error = loop {
            match broken.frame().await.unwrap() {
                Ok(frame) => received.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => break error,
            }
        };
        assert!(!error.is_timeout(), "{error}");
        assert_eq!(received, lines(2).as_bytes());
        drop(events);
    });
    dropped_later.unwrap().recv().unwrap();
    let captures = collector.wait_for(5);
    let undelivered: Vec<_> =
        captures.iter().filter(|capture| capture.is_undelivered).map(|capture| &*capture.flow.name).collect();
    assert_eq!(undelivered, ["zeros", "rows", "events"]);
}

#[test]
fn a_client_of_http2_that_does_not_read_holds_the_stream() {
    let probe = Arc::new(Probe::default());
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let limits = Limits { write_stall: Duration::from_millis(200), ..Limits::default() };
    let (server, collector) = start(app(&probe).limits(limits));
    http2::block_on(async {
        let mut client = http2::connect(server.addr()).await;
        let unread = client.send_request(http2::request("GET", "/zeros/1000000", "")).await.unwrap();
        tokio::task::spawn_blocking(move || dropped.recv().unwrap()).await.unwrap();
        drop(unread);
    });
    assert_eq!(collector.one().outcome, Outcome::ClientLeft { step: 0 });
    let made = probe.made.load(Ordering::SeqCst);
    assert!(made < 100, "{made} blocks of 64 KiB");
}

#[test]
fn clients_that_never_read_do_not_hold_others() {
    let (server, collector, _) = start_app();
    let mut clients: Vec<_> = (0..20).map(|_| Client::connect(server.addr())).collect();
    for client in &mut clients {
        client.send(get("/flood"));
    }
    // Half of them read nothing.
    let (unread, readers) = clients.split_at_mut(10);
    for client in readers {
        assert_eq!(client.head_answer().unwrap().status, 200);
        for id in 0..50 {
            let mut event = client.chunk().unwrap();
            // A slow machine needs more than the 15 s after which a stream without events sends a comment.
            while event == ":\n\n" {
                event = client.chunk().unwrap();
            }
            assert!(event.starts_with(&format!("id: {id}\ndata: 0")), "{event:.20}");
        }
    }
    assert_eq!(Client::connect(server.addr()).request(get("/rows/0")).status, 200);
    assert_eq!(unread.len(), 10);
    drop(clients);
    let captures = collector.wait_for(21);
    assert!(captures.iter().all(|capture| capture.outcome == Outcome::Done));
}
