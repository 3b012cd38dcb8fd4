//! Slow clients, with short limits so that the tests are fast.

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

/// Sends `pieces`, and checks that the connection closes after the expected answer, and not before the time limit.
fn check_closed(limits: Limits, pieces: &[&str], expected: Option<u16>) {
    let (server, _) = start(app().limits(limits));
    // Read before connecting, because the time limit starts with the connection.
    let started = Instant::now();
    let mut client = Client::connect(server.addr());
    for piece in pieces {
        let _ = client.try_send(piece.as_bytes());
    }
    assert_eq!(client.answer().map(|answer| answer.status), expected, "{pieces:?}");
    assert!(client.is_closed(), "{pieces:?}");
    assert!(started.elapsed() >= SHORT, "the connection was closed too early after {pieces:?}");
}

#[test]
fn a_connection_with_an_incomplete_head_is_closed() {
    let limits = || Limits { head: SHORT, ..Limits::default() };
    for piece in
        ["", "G", "GET /echo HTTP/1.1\r\n", "GET /echo HTTP/1.1\r\nhost: test\r\nx", "P", "PRI", "\r\n\r\n"]
    {
        check_closed(limits(), &[piece], None);
    }
    check_closed(limits(), &["PRI * HTTP/2.0\r\n\r\nSM\r\n\r"], None);
}

#[test]
fn the_time_limit_of_a_head_does_not_restart_with_each_byte() {
    let (server, _) = start(app().limits(Limits { head: SHORT, ..Limits::default() }));
    let mut client = Client::connect(server.addr());
    client.send("GET /echo HTTP/1.1\r\n");
    let started = Instant::now();
    // Sends until the service closes the connection.
    while client.try_send(b"x: y\r\n").is_ok() {
        assert!(started.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let limits = Limits { keep_alive: SHORT, ..Limits::default() };
    check_closed(limits, &["POST /echo HTTP/1.1\r\nhost: test\r\n\r\n"], Some(200));
}

#[test]
fn the_time_limit_of_a_head_applies_to_later_requests() {
    let (server, _) = start(app().limits(Limits { head: SHORT, ..Limits::default() }));
    // Repeated, because the first head may be late if the machine stalls.
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
fn an_incomplete_body_is_answered_with_408() {
    let head = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n";
    let chunked = "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel";
    let stall = || Limits { body_stall: SHORT, ..Limits::default() };
    check_closed(stall(), &[head], Some(408));
    check_closed(stall(), &[head, "hello"], Some(408));
    check_closed(stall(), &[chunked], Some(408));
    check_closed(Limits { body: SHORT, ..Limits::default() }, &[head, "hello"], Some(408));
}

#[test]
fn a_body_that_drips_is_answered_with_408() {
    let limits = Limits { body: SHORT, ..Limits::default() };
    let (server, _) = start(app().limits(limits));
    let mut client = Client::connect(server.addr());
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    let started = Instant::now();
    while client.try_send(b"1\r\nx\r\n").is_ok() && started.elapsed() < 2 * SHORT {
        std::thread::yield_now();
    }
    assert_eq!(client.answer().unwrap().status, 408);
}

#[test]
fn a_connection_whose_client_does_not_read_is_closed() {
    let (server, collector) = start(app().limits(Limits { write_stall: SHORT, ..Limits::default() }));
    let mut client = Client::connect(server.addr());
    client.send(get("/large"));
    assert_eq!(collector.one().status, 200);
    // Sending fails once the service has closed the connection.
    client.send(" ");
    let started = Instant::now();
    while client.try_send(b" ").is_ok() {
        assert!(started.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

#[test]
fn the_total_time_to_write_a_response_is_limited() {
    let limits = Limits { write_stall: PATIENCE, write: SHORT, ..Limits::default() };
    let (server, collector) = start(app().limits(limits));
    let mut client = Client::connect(server.addr());
    client.send(get("/large"));
    let capture = collector.one();
    assert_eq!((capture.status, capture.is_undelivered), (200, true));
}

#[test]
fn a_large_response_is_not_cut_off_by_the_keep_alive_time() {
    let (server, _) = start(app().limits(Limits {
        keep_alive: Duration::from_millis(1),
        head: PATIENCE,
        ..Limits::default()
    }));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/large")).body.len(), 64 << 20);
}

#[test]
fn slow_clients_do_not_delay_others() {
    let (server, _) = start(app());
    let mut slow: Vec<_> = (0..50).map(|_| Client::connect(server.addr())).collect();
    for client in &mut slow {
        client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nh");
    }
    let mut quick = Client::connect(server.addr());
    for _ in 0..100 {
        assert_eq!(
            quick.request("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi").body,
            "hi"
        );
    }
    for client in &mut slow {
        assert_eq!(client.request("i").body, "hi");
    }
}
