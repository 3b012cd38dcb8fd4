//! Clients that take their time. The limits are short here, so that the tests are.

use std::time::{Duration, Instant};

use zerver::Limits;
use zerver::prelude::*;

use crate::collector::start;
use crate::raw_client::{Client, PATIENCE, get};

const SHORT: Duration = Duration::from_millis(100);

#[step]
fn echo(request: &Request) -> Response {
    Response::text(String::from_utf8_lossy(&request.body).into_owned())
}

#[step]
fn large() -> Response {
    Response::text("0".repeat(64 << 20))
}

fn app() -> App {
    App::new()
        .flow(flow!("echo", POST "/echo", steps: [echo]))
        .flow(flow!("large", GET "/large", steps: [large]))
}

/// Sends `pieces`, one each time the one before has been waited for, until the connection closes or an answer comes.
fn check_closed(limits: Limits, pieces: &[&str], expected: Option<u16>) {
    let (server, _) = start(app().limits(limits));
    // Before the other side's time begins, which is as soon as there is a connection.
    let began = Instant::now();
    let mut client = Client::connect(server.addr());
    for piece in pieces {
        let _ = client.try_send(piece.as_bytes());
    }
    assert_eq!(client.answer().map(|answer| answer.status), expected, "{pieces:?}");
    assert!(client.is_closed(), "{pieces:?}");
    assert!(began.elapsed() >= SHORT, "{pieces:?} was not given its time");
}

#[test]
fn who_does_not_finish_a_head_is_closed() {
    let limits = || Limits { head: SHORT, ..Limits::default() };
    for piece in
        ["", "G", "GET /echo HTTP/1.1\r\n", "GET /echo HTTP/1.1\r\nhost: test\r\nx", "P", "PRI", "\r\n\r\n"]
    {
        check_closed(limits(), &[piece], None);
    }
    check_closed(limits(), &["PRI * HTTP/2.0\r\n\r\nSM\r\n\r"], None);
}

#[test]
fn the_time_for_a_head_does_not_begin_anew_with_each_byte() {
    let (server, _) = start(app().limits(Limits { head: SHORT, ..Limits::default() }));
    let mut client = Client::connect(server.addr());
    client.send("GET /echo HTTP/1.1\r\n");
    let began = Instant::now();
    // Sent as fast as the other side takes it, which is until it closes.
    while client.try_send(b"x: y\r\n").is_ok() {
        assert!(began.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

#[test]
fn who_asks_for_nothing_more_is_closed() {
    let limits = Limits { keep_alive: SHORT, ..Limits::default() };
    check_closed(limits, &["POST /echo HTTP/1.1\r\nhost: test\r\n\r\n"], Some(200));
}

#[test]
fn a_second_head_has_its_time_as_well() {
    let (server, _) = start(app().limits(Limits { head: SHORT, ..Limits::default() }));
    // Who has come too late with the first one proves nothing: then once more.
    let in_time = (0..20).find_map(|_| {
        let mut client = Client::connect(server.addr());
        client.try_send(b"POST /echo HTTP/1.1\r\nhost: test\r\n\r\n").ok()?;
        Some((client.answer()?, client))
    });
    let (answer, mut client) = in_time.expect("this machine is too slow");
    assert_eq!(answer.status, 200);
    client.send("POST");
    assert!(client.is_closed());
}

#[test]
fn who_does_not_finish_a_body_gets_a_408() {
    let head = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n";
    let chunked = "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel";
    let stall = || Limits { body_stall: SHORT, ..Limits::default() };
    check_closed(stall(), &[head], Some(408));
    check_closed(stall(), &[head, "hello"], Some(408));
    check_closed(stall(), &[chunked], Some(408));
    check_closed(Limits { body: SHORT, ..Limits::default() }, &[head, "hello"], Some(408));
}

#[test]
fn who_drips_a_body_gets_a_408_at_its_end() {
    let limits = Limits { body: SHORT, ..Limits::default() };
    let (server, _) = start(app().limits(limits));
    let mut client = Client::connect(server.addr());
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    let began = Instant::now();
    while client.try_send(b"1\r\nx\r\n").is_ok() && began.elapsed() < 2 * SHORT {
        std::thread::yield_now();
    }
    assert_eq!(client.answer().unwrap().status, 408);
}

#[test]
fn who_does_not_read_is_closed() {
    let (server, collector) = start(app().limits(Limits { write_stall: SHORT, ..Limits::default() }));
    let mut client = Client::connect(server.addr());
    client.send(get("/large"));
    assert_eq!(collector.one().status, 200);
    // The other side's close shows once it has given up: what was in the system's buffers is there, the rest is not.
    client.send(" ");
    let began = Instant::now();
    while client.try_send(b" ").is_ok() {
        assert!(began.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

#[test]
fn who_takes_too_long_in_all_is_closed_whatever_it_reads() {
    let limits = Limits { write_stall: PATIENCE, write: SHORT, ..Limits::default() };
    let (server, collector) = start(app().limits(limits));
    let mut client = Client::connect(server.addr());
    client.send(get("/large"));
    let capture = collector.one();
    assert_eq!((capture.status, capture.is_undelivered), (200, true));
}

#[test]
fn who_reads_slowly_but_surely_gets_it_all() {
    let (server, _) = start(app().limits(Limits {
        keep_alive: Duration::from_millis(1),
        head: PATIENCE,
        ..Limits::default()
    }));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.ask(get("/large")).body.len(), 64 << 20);
}

#[test]
fn others_are_served_meanwhile() {
    let (server, _) = start(app());
    let mut slow: Vec<_> = (0..50).map(|_| Client::connect(server.addr())).collect();
    for client in &mut slow {
        client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nh");
    }
    let mut quick = Client::connect(server.addr());
    for _ in 0..100 {
        assert_eq!(quick.ask("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi").body, "hi");
    }
    for client in &mut slow {
        assert_eq!(client.ask("i").body, "hi");
    }
}
