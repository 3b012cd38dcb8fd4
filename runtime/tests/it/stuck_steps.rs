//! Steps that hang: they do not keep the service from stopping, and their requests are recorded.

use std::sync::mpsc::{Receiver, Sender, channel};

use zerver::prelude::*;
use zerver::{Limits, SchedulingSettings, Server};
use zerver_trace::{Capture, Outcome};

use crate::collector::{request, start};
use crate::raw_client::{Client, PATIENCE, get};
use crate::scheduling::{Gate, OpenOnDrop, without_wait_limits};

static GATES: [Gate; 8] = [const { Gate::new() }; 8];

#[step]
fn hang(request: &Request) -> Result<Response, Failure> {
    GATES[request.param::<usize>("gate")?].pass();
    Ok(Response::text("at last"))
}

#[step]
fn before() -> Decision<()> {
    Continue(())
}

#[step]
fn place() -> Response {
    Response::text(std::thread::current().name().unwrap_or_default())
}

fn app() -> App {
    App::new()
        .flow(flow!("hangs", GET "/hangs/{gate}", steps: [before, hang]))
        .flow(flow!("report", GET "/report/{gate}", steps: [before, hang]).class(Class::Batch))
        .flow(flow!("place", GET "/place", steps: [place]).class(Class::Batch))
        .scheduling(without_wait_limits(SchedulingSettings::default()))
        .deadline(1.hours())
        .stuck_after(1.millis())
        .limits(Limits { drain: 1.millis(), ..Limits::default() })
}

fn stop(server: Server) {
    let (sender, stopped): (Sender<()>, Receiver<()>) = channel();
    std::thread::spawn(move || {
        server.stop();
        sender.send(()).unwrap();
    });
    stopped.recv_timeout(PATIENCE).expect("the service did not stop");
}

/// Stops a service while a request for this path hangs, and checks the capture of the request.
fn stop_during_a_step(path: &str, gate: &'static Gate) {
    let _guard = OpenOnDrop(gate);
    let (server, collector) = start(app().batch_workers(1));
    let mut client = Client::connect(server.addr());
    client.send(get(path));
    gate.wait_for(1);
    stop(server);
    let lost = collector.one();
    assert_eq!((&lost.outcome, lost.status), (&Outcome::ClientLeft { step: 1 }, 0));
    assert_eq!(
        (request(&lost).0.as_str(), lost.events_dropped),
        (path, 1),
        "the capture shows that events are missing"
    );
    assert!(lost.duration_ns > 0 && lost.started_unix_ns > 0);
    // The request is recorded only once, even if the step returns after all.
    gate.open();
    while client.answer().is_some() {}
    let ids: Vec<_> =
        collector.wait_for(1).iter().map(|capture: &std::sync::Arc<Capture>| capture.id).collect();
    assert_eq!(ids, [lost.id]);
}

#[test]
fn a_stop_does_not_wait_for_a_stuck_worker_and_its_request_is_recorded() {
    stop_during_a_step("/hangs/0", &GATES[0]);
}

#[test]
fn a_stop_does_not_wait_for_a_stuck_batch_worker_and_its_request_is_recorded() {
    stop_during_a_step("/report/1", &GATES[1]);
}

/// Returns the app with a drain time that is longer than any test waits.
fn app_with_long_drain() -> App {
    app().batch_workers(1).limits(Limits { drain: 1.hours(), ..Limits::default() })
}

/// Polls the health endpoint until it reports this status.
fn wait_for(client: &mut Client, status: &str) {
    while !client.request(get("/healthz")).body.contains(&format!(r#""status":"{status}""#)) {}
}

/// Stops a service with nothing in flight, after a stuck step has returned.
fn stop_after_a_stuck_step(path: &str, gate: &'static Gate) {
    let _guard = OpenOnDrop(gate);
    let (server, collector) = start(app_with_long_drain());
    let mut hangs = Client::connect(server.addr());
    hangs.send(get(path));
    gate.wait_for(1);
    // This connection belongs to another worker.
    let mut other = Client::connect(server.addr());
    wait_for(&mut other, "degraded");
    gate.open();
    assert_eq!(hangs.answer().unwrap().body, "at last");
    wait_for(&mut other, "ok");
    drop((hangs, other));
    stop(server);
    assert_eq!(collector.one().status, 200);
}

#[test]
fn a_service_stops_after_a_worker_was_stuck() {
    stop_after_a_stuck_step("/hangs/3", &GATES[3]);
}

#[test]
fn a_service_stops_after_a_batch_worker_was_stuck() {
    stop_after_a_stuck_step("/report/4", &GATES[4]);
}

/// Stops a service while a step hangs. The client of the request stays connected if `stays` is set.
fn stop_during_a_stuck_step(path: &str, gate: &'static Gate, stays: bool) {
    let _guard = OpenOnDrop(gate);
    let (server, collector) = start(app_with_long_drain());
    let mut hangs = Client::connect(server.addr());
    hangs.send(get(path));
    gate.wait_for(1);
    let mut other = Client::connect(server.addr());
    wait_for(&mut other, "degraded");
    drop(other);
    let hangs = Some(hangs).filter(|_| stays);
    stop(server);
    drop(hangs);
    assert_eq!(collector.one().outcome, Outcome::ClientLeft { step: 1 });
}

#[test]
fn while_a_worker_is_stuck_a_stop_waits_for_nothing() {
    stop_during_a_stuck_step("/hangs/5", &GATES[5], false);
}

#[test]
fn while_a_batch_worker_is_stuck_a_stop_waits_for_nothing() {
    stop_during_a_stuck_step("/report/6", &GATES[6], false);
    stop_during_a_stuck_step("/report/7", &GATES[7], true);
}

#[test]
fn a_stuck_batch_worker_is_reported_and_replaced() {
    let _guard = OpenOnDrop(&GATES[2]);
    let (server, _) = start(app().batch_workers(1));
    let mut hangs = Client::connect(server.addr());
    hangs.send(get("/report/2"));
    GATES[2].wait_for(1);
    let mut other = Client::connect(server.addr());
    let status = loop {
        let status = other.request(get("/healthz")).body;
        if status.contains("degraded") {
            break status;
        }
    };
    assert!(
        status.contains(r#""name":"zerver-batch-0""#) && status.contains(r#""flow":"report""#),
        "{status}"
    );
    assert_eq!(other.request(get("/place")).body, "zerver-batch-1");
    GATES[2].open();
    assert_eq!(hangs.answer().unwrap().body, "at last");
    while other.request(get("/healthz")).body.contains("degraded") {}
    server.stop();
}
