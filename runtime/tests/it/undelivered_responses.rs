//! Responses that the client did not receive: they are recorded in full, and marked as undelivered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use zerver::SchedulingSettings;
use zerver::prelude::*;
use zerver_trace::{Capture, MessageInfo, Outcome};

use crate::collector::start;
use crate::raw_client::{Client, PATIENCE, get};
use crate::scheduling::{Gate, OpenOnDrop, without_wait_limits};

static GATES: [Gate; 4] = [Gate::new(), Gate::new(), Gate::new(), Gate::new()];

#[step]
fn pass(request: &Request) -> Result<Response, Failure> {
    GATES[request.param::<usize>("gate")?].pass();
    Ok(Response::text("passed").header("x-gate", "open"))
}

#[step]
fn zeros(request: &Request) -> Result<Response, Failure> {
    Ok(Response::text("0".repeat(request.param("bytes")?)))
}

fn app() -> App {
    App::new()
        .flow(flow!("inline", GET "/inline/{gate}", steps: [pass]))
        .flow(flow!("batch", GET "/batch/{gate}", steps: [pass]).class(Class::Batch))
        .flow(flow!("zeros", GET "/zeros/{bytes}", steps: [zeros]))
        .scheduling(without_wait_limits(SchedulingSettings::default()))
        .deadline(1.hours())
        .stuck_after(1.hours())
        .batch_workers(1)
}

/// Closes a connection with a reset, which discards unread data.
fn reset(socket: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
    drop(socket);
}

/// Checks that the response of `pass` is recorded and marked as undelivered.
fn check_undelivered(capture: &Arc<Capture>) {
    let response = capture.response.as_ref().expect("the response is not recorded").describe(usize::MAX);
    let MessageInfo::Response(response) = response else { panic!("no response") };
    assert_eq!((&capture.outcome, capture.status, response.status), (&Outcome::Done, 200, 200));
    assert_eq!(response.body.bytes, b"passed");
    assert!(response.headers.iter().any(|header| header.name == "x-gate" && header.value == b"open"));
    assert!(capture.is_undelivered);
}

/// Checks a request whose client leaves while the last step runs.
fn check_departure(path: &str, gate: &'static Gate) {
    let _guard = OpenOnDrop(gate);
    let (server, collector) = start(app());
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    socket.write_all(get(path).as_bytes()).unwrap();
    gate.wait_for(1);
    reset(socket);
    gate.open();
    check_undelivered(&collector.one());
}

#[test]
fn a_response_of_a_worker_is_undelivered_if_the_client_has_left() {
    check_departure("/inline/0", &GATES[0]);
}

#[test]
fn a_response_of_a_batch_worker_is_undelivered_if_the_client_has_left() {
    check_departure("/batch/1", &GATES[1]);
}

#[test]
fn a_response_to_a_reset_http2_stream_is_undelivered() {
    let _guard = OpenOnDrop(&GATES[2]);
    let (server, collector) = start(app());
    let mut raw = crate::http2::Raw::connect(server.addr());
    raw.headers(crate::http2::GET, "/batch/2", 1, true).unwrap();
    GATES[2].wait_for(1);
    raw.frame(3, 0, 1, &[0, 0, 0, 8]).unwrap();
    raw.ping();
    GATES[2].open();
    check_undelivered(&collector.one());
}

#[test]
fn a_partly_written_response_is_undelivered() {
    let (server, collector) = start(app());
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(get("/zeros/30000000").as_bytes()).unwrap();
    socket.read_exact(&mut [0]).unwrap();
    reset(socket);
    let capture = collector.one();
    assert_eq!((capture.status, capture.is_undelivered), (200, true));
    // A response that was written in full is delivered.
    assert_eq!(Client::connect(server.addr()).request(get("/zeros/30000000")).status, 200);
    assert!(!collector.wait_for(2)[1].is_undelivered);
}

#[test]
fn a_written_response_is_delivered() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    client.send([get("/zeros/1"), get("/nothing"), get("/zeros/2")].concat());
    assert_eq!([(); 3].map(|()| client.answer().unwrap().status), [200, 404, 200]);
    client.send("HEAD /zeros/1 HTTP/1.1\r\nhost: a\r\n\r\n");
    client.head_answer().unwrap();
    client.send("no HTTP\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 400);
    assert!(
        collector.wait_for(5).iter().all(|capture| !capture.is_undelivered && capture.response.is_some())
    );
}
