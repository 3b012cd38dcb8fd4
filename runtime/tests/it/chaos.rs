//! Drills: faults that are injected into the effects of a running service.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zerver::effects::http;
use zerver::engine::Call;
use zerver::prelude::*;
use zerver::{Chaos, ChaosRule, Server, StartError, StartOptions, TargetPolicy};
use zerver_replay::ServiceMetrics;
use zerver_trace::{Answer, Capture, CaptureSink, Event};

use crate::collector::Collector;
use crate::raw_client::{Client, get};

/// An effect of which the tests count how often it is performed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Fetch {
    name: String,
}

impl EffectKind for Fetch {
    const KIND: &'static str = "fetch";
    type Output = u32;

    fn summary(&self) -> String {
        format!("figure {}", self.name)
    }

    fn target(&self) -> Option<Cow<'_, str>> {
        Some("figures.internal:80".into())
    }

    fn is_safe(&self) -> bool {
        true
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}

fn fetch(request: &Request) -> Result<Effect<u32>, Failure> {
    Ok(effect(Fetch { name: request.param("name")? }))
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Figure(u32);

#[step]
fn hurried(request: &Request) -> Result<Decision<Figure>, Failure> {
    Ok(Need(fetch(request)?.timeout(5.millis()).map(Figure)))
}

#[step]
fn retried(request: &Request) -> Result<Decision<Figure>, Failure> {
    Ok(Need(fetch(request)?.retry(Retry::attempts(3).pause(1.millis(), 1.millis())).map(Figure)))
}

#[step]
fn hedged(request: &Request) -> Result<Decision<Figure>, Failure> {
    Ok(Need(fetch(request)?.hedge(Hedge::after(5.millis())).map(Figure)))
}

#[step]
fn over_http() -> Decision<Figure> {
    Need(http::get("http://figures.internal/").json().map(Figure))
}

#[step]
fn show(figure: &Figure) -> Response {
    Response::text(figure.0.to_string())
}

fn app() -> App {
    App::new()
        .flow(flow!("hurried", GET "/hurried/{name}", steps: [hurried, show]))
        .flow(flow!("retried", GET "/retried/{name}", steps: [retried, show]))
        .flow(flow!("hedged", GET "/hedged/{name}", steps: [hedged, show]))
        .flow(flow!("http", GET "/http", steps: [over_http, show]))
}

fn chaos(rules: &[&str], seed: u64) -> Chaos {
    Chaos::new(rules.iter().map(|rule| rule.parse::<ChaosRule>().unwrap()), seed)
}

/// A service during a drill.
struct Drill {
    server: Server,
    client: Client,
    collector: Arc<Collector>,
    /// Number of calls that were performed.
    performed: Arc<AtomicUsize>,
}

impl Drill {
    fn start(chaos: Chaos) -> Self {
        let (collector, performed) = (Arc::new(Collector::default()), Arc::new(AtomicUsize::new(0)));
        let sink: Arc<dyn CaptureSink> = collector.clone();
        let options = StartOptions {
            addr: Some("127.0.0.1:0".to_owned()),
            sink: Some(sink),
            chaos: Some(chaos),
            ..StartOptions::default()
        };
        let count = Arc::clone(&performed);
        // The breaker opens however soon the failures follow each other.
        let impatient = TargetPolicy { failing_for: Duration::ZERO, ..TargetPolicy::default() };
        let app = app().workers(1).target("default", impatient).interpreter(move |_: &Fetch| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Ok(7) }
        });
        let server = app.start(options).unwrap();
        let client = Client::connect(server.addr());
        Self { server, client, collector, performed }
    }

    /// Sends requests one after another, and returns their statuses and stories.
    fn run(&mut self, path: &str, times: usize) -> Vec<(u16, String)> {
        let before = self.collector.wait_for(0).len();
        let mut statuses = Vec::new();
        for at in 1..=times {
            statuses.push(self.client.request(get(path)).status);
            self.collector.wait_for(before + at);
        }
        let captures = self.collector.wait_for(before + times);
        statuses.into_iter().zip(captures[before..].iter().map(|capture| story(capture))).collect()
    }

    fn performed(&self) -> usize {
        self.performed.load(Ordering::SeqCst)
    }

    fn stop(mut self) -> ServiceMetrics {
        let head = "GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n";
        let metrics = serde_json::from_str(&self.client.request(head).body).unwrap();
        self.server.stop();
        metrics
    }
}

/// Describes the effects of a request: attempts, injected faults, decisions and ends.
fn story(capture: &Capture) -> String {
    let describe = |event: &Event<_>| match event {
        Event::EffectRequested { call, .. } => Some(format!("call {call}")),
        Event::FaultInjected { call, rule, .. } => Some(format!("{rule} into {call}")),
        Event::PolicyDecided { decision, .. } => Some(decision.as_str().to_owned()),
        Event::EffectCompleted { call, answer: Answer::Canceled, .. } => Some(format!("{call} canceled")),
        Event::EffectCompleted { answer: Answer::Err(error), .. } => Some(error.to_string()),
        Event::EffectCompleted { call, answer: Answer::Ok(_), .. } => Some(format!("{call} answered")),
        _ => None,
    };
    capture.events.iter().filter_map(describe).collect::<Vec<_>>().join(", ")
}

#[test]
fn an_injected_timeout_ends_at_the_time_limit_and_is_marked() {
    let mut drill = Drill::start(chaos(&["fetch figure a..=timeout:100%"], 1));
    let expected = "call 0, fetch figure a..=timeout:100% into 0, timeout: no answer within 5ms";
    assert_eq!(drill.run("/hurried/ab", 1), [(504, expected.to_owned())]);
    assert_eq!(drill.performed(), 0, "the call is not made");
    assert_eq!(drill.run("/hurried/b", 1), [(200, "call 0, 0 answered".to_owned())]);
    let metrics = drill.stop();
    assert_eq!((metrics.chaos.len(), metrics.chaos[0].injected), (1, 1));
    assert_eq!(metrics.chaos[0].rule, "fetch figure a..=timeout:100%");
}

#[test]
fn retries_see_injected_faults_and_the_seed_repeats_them() {
    let rule = "fetch=unreachable:40%";
    let run = |seed| {
        let mut drill = Drill::start(chaos(&[rule], seed));
        let stories = drill.run("/retried/a", 40);
        (stories, drill.performed(), drill.stop().chaos[0].injected)
    };
    let (stories, performed, injected) = run(3);
    assert_eq!((&stories, performed, injected), (&run(3).0, run(3).1, run(3).2), "the same drill");
    assert_ne!(stories, run(4).0, "another drill");
    let again =
        format!("call 0, {rule} into 0, unreachable: injected by chaos rule {rule}, call 1, 1 answered");
    assert!(stories.contains(&(200, again)), "{stories:?}");
    let marks: usize = stories.iter().map(|(_, story)| story.matches(" into ").count()).sum();
    let calls: usize = stories.iter().map(|(_, story)| story.matches("call ").count()).sum();
    assert_eq!((marks as u64, calls), (injected, performed + marks));
}

#[test]
fn the_breaker_counts_injected_statuses_and_nothing_is_injected_into_refused_calls() {
    let rule = "http @figures.internal..=status:503:100%";
    let mut drill = Drill::start(chaos(&[rule], 1));
    let all = drill.run("/http", 7);
    let statuses: Vec<_> = all.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [502, 502, 502, 502, 502, 503, 503]);
    assert_eq!(all[0].1, format!("call 0, {rule} into 0, 0 answered"));
    assert!(all[4].1.contains("breaker_opened") && !all[5].1.contains(rule), "{all:?}");
    assert_eq!(drill.stop().chaos[0].injected, 5);
}

#[test]
fn a_hedge_answers_in_place_of_a_call_that_is_delayed() {
    let rule = "fetch=latency:1h:50%";
    let hits = |seed: &u64| {
        let (chaos, call) = (chaos(&[rule], *seed), Call::new(Fetch { name: "a".to_owned() }));
        [chaos.decide(&call).is_some(), chaos.decide(&call).is_some()]
    };
    let seed = (0..).find(|seed| hits(seed) == [true, false]).unwrap();
    let mut drill = Drill::start(chaos(&[rule], seed));
    let (status, story) = drill.run("/hedged/a", 1).remove(0);
    assert_eq!((status, drill.performed()), (200, 1), "{story}");
    for part in ["1 answered", "0 canceled", "hedge_won", &format!("{rule} into 0")] {
        assert!(story.contains(part), "{part}: {story}");
    }
    drill.stop();
}

#[test]
fn a_latency_delays_the_real_call() {
    let mut drill = Drill::start(chaos(&["fetch=latency:1ms:100%", "fetch=error:refused:50%"], 1));
    let all = drill.run("/retried/a", 20);
    let is_refused = |story: &str| story.contains("refused: injected by chaos rule fetch=error:refused:50%");
    assert!(all.iter().all(|(_, story)| story.contains("fetch=latency:1ms:100% into 0")), "{all:?}");
    let refused = all.iter().filter(|(_, story)| is_refused(story)).count();
    assert!((1..20).contains(&refused) && drill.performed() == 20 - refused, "{all:?}");
    drill.stop();
}

#[test]
fn a_rule_for_an_unknown_kind_is_refused_at_the_start() {
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        chaos: Some(chaos(&["sql=timeout:1%"], 1)),
        ..StartOptions::default()
    };
    let error = app().start(options).unwrap_err();
    assert!(matches!(error, StartError::UnknownChaosKind { .. }), "{error}");
    assert!(
        error.to_string().starts_with("chaos rule sql=timeout:1% is for a kind of effect that"),
        "{error}"
    );
}
