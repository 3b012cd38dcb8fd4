//! Steps that never return, seen from those who stop the service, and from batch.

use std::sync::mpsc::{Receiver, Sender, channel};

use zerver::prelude::*;
use zerver::{Limits, SchedulingSettings, Server};
use zerver_trace::{Capture, Outcome};

use crate::collector::{request, start};
use crate::raw_client::{Client, PATIENCE, get};
use crate::scheduling::{Gate, Opens, patient};

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
        .scheduling(patient(SchedulingSettings::default()))
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
    stopped.recv_timeout(PATIENCE).expect("it stops");
}

/// Stops a service while this path hangs at a gate; what is recorded of it by then.
fn stopped_within(path: &str, gate: &'static Gate) {
    let _opens = Opens(gate);
    let (server, collector) = start(app().batch_workers(1));
    let mut client = Client::connect(server.addr());
    client.send(get(path));
    gate.wait_for(1);
    stop(server);
    let lost = collector.one();
    assert_eq!((&lost.outcome, lost.status), (&Outcome::Gone { step: 1 }, 0));
    assert_eq!(
        (request(&lost).0.as_str(), lost.events_dropped),
        (path, 1),
        "it says that events are missing"
    );
    assert!(lost.duration_ns > 0 && lost.started_unix_ns > 0);
    // It is told of once, also when the step returns after all.
    gate.open();
    while client.answer().is_some() {}
    let ids: Vec<_> =
        collector.wait_for(1).iter().map(|capture: &std::sync::Arc<Capture>| capture.id).collect();
    assert_eq!(ids, [lost.id]);
}

#[test]
fn stopping_waits_for_no_step_that_hangs_and_its_request_is_recorded() {
    stopped_within("/hangs/0", &GATES[0]);
}

#[test]
fn stopping_waits_for_no_batch_that_hangs_and_its_request_is_recorded() {
    stopped_within("/report/1", &GATES[1]);
}

/// With a time limit for draining that no test would wait for.
fn patient_app() -> App {
    app().batch_workers(1).limits(Limits { drain: 1.hours(), ..Limits::default() })
}

/// Waits until a thread counts as hanging, or until none does.
fn wait_for(client: &mut Client, status: &str) {
    while !client.ask(get("/healthz")).body.contains(&format!(r#""status":"{status}""#)) {}
}

/// Stops a service after a step has hung, with nothing in flight.
fn stops_after_a_step_that_hung(path: &str, gate: &'static Gate) {
    let _opens = Opens(gate);
    let (server, collector) = start(patient_app());
    let mut hangs = Client::connect(server.addr());
    hangs.send(get(path));
    gate.wait_for(1);
    // Asked at another worker.
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
fn after_a_step_that_hung_on_a_worker_it_stops_as_before() {
    stops_after_a_step_that_hung("/hangs/3", &GATES[3]);
}

#[test]
fn after_a_step_that_hung_at_low_priority_it_stops_as_before() {
    stops_after_a_step_that_hung("/report/4", &GATES[4]);
}

/// Stops a service while a step hangs, and its client waits for it or not.
fn stops_while_a_step_hangs(path: &str, gate: &'static Gate, waits: bool) {
    let _opens = Opens(gate);
    let (server, collector) = start(patient_app());
    let mut hangs = Client::connect(server.addr());
    hangs.send(get(path));
    gate.wait_for(1);
    let mut other = Client::connect(server.addr());
    wait_for(&mut other, "degraded");
    drop(other);
    let hangs = Some(hangs).filter(|_| waits);
    stop(server);
    drop(hangs);
    assert_eq!(collector.one().outcome, Outcome::Gone { step: 1 });
}

#[test]
fn while_a_step_hangs_on_a_worker_nothing_else_is_waited_for() {
    stops_while_a_step_hangs("/hangs/5", &GATES[5], false);
}

#[test]
fn while_a_step_hangs_at_low_priority_nothing_else_is_waited_for() {
    stops_while_a_step_hangs("/report/6", &GATES[6], false);
    stops_while_a_step_hangs("/report/7", &GATES[7], true);
}

#[test]
fn a_thread_of_low_priority_that_hangs_is_named_and_another_goes_on() {
    let _opens = Opens(&GATES[2]);
    let (server, _) = start(app().batch_workers(1));
    let mut hangs = Client::connect(server.addr());
    hangs.send(get("/report/2"));
    GATES[2].wait_for(1);
    let mut other = Client::connect(server.addr());
    let told = loop {
        let told = other.ask(get("/healthz")).body;
        if told.contains("degraded") {
            break told;
        }
    };
    assert!(told.contains(r#""name":"zerver-batch-0""#) && told.contains(r#""flow":"report""#), "{told}");
    assert_eq!(other.ask(get("/place")).body, "zerver-batch-1");
    GATES[2].open();
    assert_eq!(hangs.answer().unwrap().body, "at last");
    while other.ask(get("/healthz")).body.contains("degraded") {}
    server.stop();
}
