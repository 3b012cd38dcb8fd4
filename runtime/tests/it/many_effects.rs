//! A request with a hundred thousand effects: the worker serves other requests meanwhile, and the deadline applies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use zerver::effects::{EffectContext, EffectResult as Performed, Interpreter, Started};
use zerver::prelude::*;
use zerver_trace::Outcome;

use crate::collector::{Collector, start_on};
use crate::raw_client::{Client, PATIENCE, get};

const MANY: usize = 100_000;

/// An effect that completes at once, or a little later.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tick {
    is_later: bool,
}

impl EffectKind for Tick {
    type Output = u32;
    const KIND: &'static str = "tick";
}

#[derive(Clone, Default)]
struct Ticker {
    started: Arc<AtomicUsize>,
}

impl Interpreter<Tick> for Ticker {
    fn start(&self, tick: &Tick, _: &EffectContext) -> Started<Performed<Tick>> {
        self.started.fetch_add(1, Ordering::SeqCst);
        // All effects together take at least a second on any machine.
        let started = Instant::now();
        while started.elapsed() < Duration::from_micros(10) {}
        match tick.is_later {
            false => Started::Ready(Ok(1)),
            true => Started::Pending(Box::pin(std::future::ready(Ok(1)))),
        }
    }
}

#[derive(Slot, Serialize, Deserialize)]
struct Sum(u32);

#[step]
fn ask(request: &Request) -> Decision<Sum> {
    let what = request.param_str("what").unwrap_or_default();
    let tick = |is_later| effect(Tick { is_later });
    let many = match what {
        "at-once" => join_all((0..MANY).map(|_| tick(false))),
        "later" => join_all((0..MANY).map(|_| tick(true))),
        _ => (0..MANY).fold(tick(true), |effect, _| effect.and_then(move |_| tick(true))).map(|_| Vec::new()),
    };
    Need(many.map(|numbers| Sum(numbers.iter().sum())))
}

#[step]
fn show(sum: &Sum) -> Response {
    Response::text(sum.0.to_string())
}

#[step]
fn other() -> Response {
    Response::text("other")
}

fn service() -> (zerver::Server, Arc<Collector>, Ticker) {
    let ticker = Ticker::default();
    let app = App::new()
        .flow(flow!("many", GET "/many/{what}", steps: [ask, show]).deadline(10 * PATIENCE))
        .flow(flow!("short", GET "/short/{what}", steps: [ask, show]).deadline(Duration::from_millis(200)))
        .flow(flow!("other", GET "/other", steps: [other]))
        .interpreter::<Tick>(ticker.clone());
    let (server, collector) = start_on(1, app);
    (server, collector, ticker)
}

#[test]
fn other_requests_are_served_meanwhile() {
    let (server, _collector, ticker) = service();
    for what in ["at-once", "later", "in-sequence"] {
        ticker.started.store(0, Ordering::SeqCst);
        let (mut client, mut other) = (Client::connect(server.addr()), Client::connect(server.addr()));
        assert_eq!(other.request(get("/other")).body, "other");
        client.send(get(&format!("/many/{what}")));
        while ticker.started.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        assert_eq!(other.request(get("/other")).body, "other");
        assert!(
            ticker.started.load(Ordering::SeqCst) < MANY,
            "{what}: the other request waited for all effects"
        );
        assert_eq!(client.answer().unwrap().status, 200);
    }
    server.stop();
}

#[test]
fn the_deadline_applies() {
    let (server, collector, ticker) = service();
    for (at, what) in ["at-once", "later", "in-sequence"].into_iter().enumerate() {
        ticker.started.store(0, Ordering::SeqCst);
        let mut client = Client::connect(server.addr());
        assert_eq!(client.request(get(&format!("/short/{what}"))).status, 504, "{what}");
        assert!(ticker.started.load(Ordering::SeqCst) < MANY, "{what}");
        assert_eq!(collector.wait_for(at + 1)[at].outcome, Outcome::TimedOut { step: 0 });
    }
    server.stop();
}
