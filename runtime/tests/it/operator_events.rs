//! Messages to the operator as `tracing` events, which a program that starts a service itself receives.

use std::fmt::Debug;
use std::sync::{Condvar, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use zerver::prelude::*;

use crate::collector::start;
use crate::raw_client::{Client, PATIENCE, get};
use crate::scheduling::{Gate, OpenOnDrop};

static GATE: Gate = Gate::new();
static EVENTS: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());
static ADDED: Condvar = Condvar::new();

/// Collects the events of the library.
struct EventCollector;

impl Subscriber for EventCollector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "zerver"
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        EVENTS.lock().unwrap().push((*event.metadata().level(), message.0));
        ADDED.notify_all();
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[step]
fn wait_at_the_gate() -> Response {
    GATE.pass();
    Response::no_content()
}

#[test]
fn a_stuck_worker_is_reported_to_the_subscriber_of_the_program() {
    tracing::subscriber::set_global_default(EventCollector).unwrap();
    let flow = flow!("gate", GET "/gate", steps: [wait_at_the_gate]);
    let _guard = OpenOnDrop(&GATE);
    let (server, _collector) = start(App::new().flow(flow).deadline(1.hours()).stuck_after(1.millis()));
    let mut client = Client::connect(server.addr());
    client.send(get("/gate"));
    GATE.wait_for(1);
    let is_report = |(level, message): &(Level, String)| {
        *level == Level::WARN && message.contains("is stuck in step wait_at_the_gate of flow gate for ")
    };
    let events = EVENTS.lock().unwrap();
    let is_missing = |events: &mut Vec<(Level, String)>| !events.iter().any(is_report);
    let (events, waited) = ADDED.wait_timeout_while(events, PATIENCE, is_missing).unwrap();
    assert!(!waited.timed_out(), "{events:?}");
    drop(events);
    GATE.open();
    assert_eq!(client.answer().unwrap().status, 204);
    server.stop();
}
