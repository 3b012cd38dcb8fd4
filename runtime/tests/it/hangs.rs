//! Steps that never return, seen from those who stop the service, and from batch.

use std::sync::mpsc::{Receiver, Sender, channel};

use zerver::prelude::*;
use zerver::{Limits, Running, Scheduling};
use zerver_trace::{Capture, Outcome};

use crate::client::{Client, PATIENCE, get};
use crate::collector::{request, start};
use crate::schedule::{Gate, Opens, patient};

static GATES: [Gate; 3] = [Gate::new(), Gate::new(), Gate::new()];

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
        .scheduling(patient(Scheduling::default()))
        .deadline(1.hours())
        .stuck_after(1.millis())
        .limits(Limits { drain: 1.millis(), ..Limits::default() })
}

fn stop(running: Running) {
    let (sender, stopped): (Sender<()>, Receiver<()>) = channel();
    std::thread::spawn(move || {
        running.stop();
        sender.send(()).unwrap();
    });
    stopped.recv_timeout(PATIENCE).expect("it stops");
}

/// Stops a service while this path hangs at a gate; what is recorded of it by then.
fn stopped_within(path: &str, gate: &'static Gate) {
    let _opens = Opens(gate);
    let (running, collector) = start(app().batch_workers(1));
    let mut client = Client::connect(running.addr());
    client.send(get(path));
    gate.wait_for(1);
    stop(running);
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

#[test]
fn a_thread_of_low_priority_that_hangs_is_named_and_another_goes_on() {
    let _opens = Opens(&GATES[2]);
    let (running, _) = start(app().batch_workers(1));
    let mut hangs = Client::connect(running.addr());
    hangs.send(get("/report/2"));
    GATES[2].wait_for(1);
    let mut other = Client::connect(running.addr());
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
    running.stop();
}
