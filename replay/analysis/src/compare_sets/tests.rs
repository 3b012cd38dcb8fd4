//! Comparisons of generated requests: shuffled sets do not differ, and planted changes are found.

use std::collections::BTreeSet;

use zerver_testkit::sample::{US, answered, asked, flow, plain, ran, summed, trace, wire, wrote};
use zerver_trace::{Answer, Decision, EffectError, EffectErrorKind, Event, RequestId, Summary, Trace};

use super::*;

/// A small generator of random numbers (SplitMix64), so that tests need no library and never differ.
pub(super) struct SplitMix(pub(super) u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number over 0 and up to 1.
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Returns a number with a median of 1 and a heavy tail.
    fn heavy(&mut self) -> f64 {
        (2.0 * self.uniform()).powf(-0.5)
    }
}

/// Behavior of the service.
#[derive(Clone, Copy)]
struct Service {
    /// Factor of the run time of `render`.
    render: f64,
    /// Factor of the wait for the effect.
    upstream: f64,
    /// Probability that the effect fails.
    failing: f64,
    /// Number of calls of `kv`.
    calls: u64,
    /// Typical size of a request.
    limit: f64,
}

const USUAL: Service = Service { render: 1.0, upstream: 1.0, failing: 0.02, calls: 1, limit: 100.0 };

/// Returns the `n`th request of a service. `load` makes requests of the same period alike.
fn request(n: u64, service: Service, load: f64, random: &mut SplitMix) -> Trace {
    use Decision::{Continue, Done, Need};
    let steps: [(_, &[u16], &[u16]); 3] =
        [("parse", &[], &[0]), ("gather", &[0], &[1]), ("render", &[1], &[])];
    let mut flow = flow(&[("Limit", false), ("Figures", false)], &steps);
    flow.name = "report".into();
    let limit = (service.limit * random.heavy()).round();
    let wait = (2_000.0 * service.upstream * load * random.heavy()) as u64;
    let mut at = 20;
    let mut events = vec![
        Event::BodyReceived { at_ns: 5 * US },
        ran(0, 5, 6, (8.0 * random.heavy()) as u64, Continue),
        wrote(0, 0, at, plain(limit)),
        ran(1, at, at, 10, Need),
        asked(0, 1, 30, "http", summed("figures", "GET figures.internal"), 1),
    ];
    let fails = random.uniform() < service.failing;
    at = 30 + wait;
    let error = EffectError::new(EffectErrorKind::Unreachable, "refused");
    let answer = if fails { Answer::Err(error) } else { Answer::Ok(summed(1, "200")) };
    events.push(answered(0, at, answer));
    for call in 1..=service.calls as u32 {
        events.push(asked(call, 1, at, "kv", summed("todo", "get todo"), 1));
        at += 5;
        events.push(answered(call, at, Answer::Ok(summed(1, "found"))));
    }
    events.push(wrote(1, 1, at, plain(4_711)));
    let render = (300.0 * service.render * load.sqrt() * random.heavy()) as u64;
    events.push(ran(2, at, at, render, Done));
    let mut trace = trace(flow, (at + render + 10) * US, events);
    trace.id = RequestId::from_u128(u128::from(n) + 1);
    trace.started_unix_ns += n * 1_000_000;
    trace.target = wire(b"/report");
    if fails {
        trace.status = 502;
    }
    trace
}

/// Returns requests in the order of time. Load comes in waves, so that requests of one period are alike.
fn requests(count: u64, service: impl Fn(u64) -> Service, seed: u64) -> Vec<Trace> {
    let mut random = SplitMix(seed);
    let mut load = 1.0;
    (0..count)
        .map(|n| {
            if n % 10 == 0 {
                load = 0.5 + random.uniform();
            }
            request(n, service(n), load, &mut random)
        })
        .collect()
}

fn compare(a: &[Trace], b: &[Trace]) -> SetComparison {
    let summaries = |set: &[Trace]| set.iter().map(Trace::summary).collect::<Vec<_>>();
    let (of_a, of_b) = (summaries(a), summaries(b));
    let (refs_a, refs_b) = (of_a.iter().collect::<Vec<&Summary>>(), of_b.iter().collect::<Vec<_>>());
    let of = FlowComparison::of(
        "report",
        FlowSet { requests: &refs_a, traces: a },
        FlowSet { requests: &refs_b, traces: b },
    );
    SetComparison::of(&of_a, &of_b, 0, vec![of])
}

/// Divides the requests at random.
fn shuffled(all: &[Trace], seed: u64) -> (Vec<Trace>, Vec<Trace>) {
    let mut random = SplitMix(seed);
    let (a, b): (Vec<_>, Vec<_>) =
        all.iter().map(|trace| (random.uniform() < 0.5, trace)).partition(|(is_a, _)| *is_a);
    let traces = |set: Vec<(bool, &Trace)>| set.into_iter().map(|(_, trace)| trace.clone()).collect();
    (traces(a), traces(b))
}

fn found(comparison: &SetComparison) -> BTreeSet<String> {
    let rows = comparison.flows.iter().flat_map(FlowComparison::all_rows);
    let name = |row: &SetChange| {
        let of = match &row.subject {
            ChangeSubject::Request => "request",
            ChangeSubject::Step(name)
            | ChangeSubject::Field(name)
            | ChangeSubject::Effect { what: name, .. } => name,
        };
        format!("{of} {}", row.measure.as_str())
    };
    rows.filter(|row| row.is_found()).map(name).collect()
}

#[test]
fn twenty_shuffled_runs_show_no_change() {
    let mut tests = 0;
    for (count, seed) in [(600, 1), (60, 2), (24, 3)] {
        let all = requests(count, |_| USUAL, seed);
        for run in 0..20 {
            let (a, b) = shuffled(&all, run);
            let comparison = compare(&a, &b);
            assert_eq!(found(&comparison), BTreeSet::new(), "run {run} of {count}");
            tests += comparison.tests;
        }
    }
    assert!(tests >= 500, "{tests}");
}

#[test]
fn requests_of_different_waves_show_hardly_any_change() {
    // Consecutive halves, as of two days: the requests of a wave are alike, so that they are not independent.
    let mut wrong = 0;
    for seed in 0..40 {
        let all = requests(600, |_| USUAL, 100 + seed);
        let (a, b) = all.split_at(300);
        wrong += usize::from(compare(a, b).has_changed());
    }
    assert!(wrong <= 2, "{wrong} of 40");
}

#[test]
fn planted_changes_are_found_where_they_are() {
    // A change may show in more than one row: those that it must show in, and those that it can show in as well.
    let (mut seeds, mut right, mut wrong) = (0.., 0, Vec::new());
    let mut check = |changed: Service, wanted: &[&str], possible: &[&str]| {
        for seed in seeds.by_ref().take(5) {
            let a = requests(300, |_| USUAL, 2 * seed);
            let b = requests(300, |_| changed, 2 * seed + 1);
            let found = found(&compare(&a, &b));
            for name in wanted {
                assert!(found.contains(*name), "seed {seed}: {name} is not in {found:?}");
            }
            let is_planted = |name: &String| wanted.contains(&&**name) || possible.contains(&&**name);
            let (planted, others): (Vec<_>, Vec<_>) = found.into_iter().partition(is_planted);
            right += planted.len();
            wrong.extend(others);
        }
    };
    let http = |measure: &str| format!("http GET figures.internal {measure}");
    let whole = ["request took", "request slowest"];
    check(Service { render: 12.0, ..USUAL }, &["render cpu", "request took"], &whole);
    check(Service { upstream: 4.0, ..USUAL }, &[&http("wait"), "request took", "request slowest"], &[]);
    check(Service { failing: 0.2, ..USUAL }, &[&http("failed_calls"), "request failed"], &[]);
    check(Service { calls: 3, ..USUAL }, &["kv get todo calls", "kv get todo wait"], &[]);
    check(Service { limit: 400.0, ..USUAL }, &["Limit value"], &[]);
    assert!(wrong.len() * 20 < right, "{wrong:?} besides {right}");
}

#[test]
fn the_interval_of_a_change_contains_it() {
    let a = requests(300, |_| USUAL, 5);
    let b = requests(300, |_| Service { upstream: 4.0, ..USUAL }, 6);
    let comparison = compare(&a, &b);
    let took = comparison.flows[0].took.as_ref().unwrap();
    let (low, high) = took.interval.unwrap();
    assert!(took.difference() > 0.0 && low <= took.difference() && took.difference() <= high, "{took:?}");
    // Four times the wait of 2 ms, within what the loads of the periods do.
    assert!(4e6 < low && high < 9e6, "{took:?}");
    assert!(took.test.unwrap().variance_inflation > 1.0, "{took:?}");
    let ids = |set: &[Trace]| set.iter().map(|trace| trace.id).collect::<BTreeSet<_>>();
    assert!(ids(&a).contains(&comparison.flows[0].example_a.unwrap()));
    assert!(ids(&b).contains(&comparison.flows[0].example_b.unwrap()));
}

#[test]
fn too_few_requests_are_compared_without_a_test() {
    let all = requests(8, |_| USUAL, 9);
    let comparison = compare(&all[..2], &all[2..]);
    assert!(!comparison.is_tested() && !comparison.has_changed());
    let took = comparison.flows[0].took.as_ref().unwrap();
    assert_eq!((took.test, took.interval), (None, None));
    let without = compare(&all, &[]);
    assert_eq!((without.flows.len(), without.unmatched.len(), without.tests), (0, 1, 0));
    assert!(compare(&[], &[]).flows.is_empty());
    // Five against five can be extreme enough.
    let fast: Vec<Trace> = requests(5, |_| USUAL, 9);
    let slow: Vec<Trace> = requests(5, |_| Service { upstream: 1000.0, ..USUAL }, 10);
    assert!(compare(&fast, &slow).is_tested());
}

#[test]
fn equal_sets_have_no_test_to_fail() {
    let one = requests(1, |_| USUAL, 3).remove(0);
    let copies = |from: u128| -> Vec<Trace> {
        (from..from + 50).map(|id| Trace { id: RequestId::from_u128(id), ..one.clone() }).collect()
    };
    let comparison = compare(&copies(0), &copies(100));
    assert!(comparison.is_tested() && !comparison.has_changed());
    assert_eq!(comparison.tests, 1);
}

#[test]
fn the_document_has_the_documented_fields() {
    let all = requests(30, |_| USUAL, 4);
    let comparison = compare(&all[..15], &all[15..]);
    let document = serde_json::to_value(SetComparisonJson::new(&comparison, "since:1h", "build:b")).unwrap();
    assert_eq!(document["verdict"], "unchanged");
    assert_eq!(document["a"]["query"], "since:1h");
    let flow = &document["flows"][0];
    assert_eq!((&flow["flow"], &flow["requests"]["a"]), (&"report".into(), &15.into()));
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    insta::assert_compact_debug_snapshot!(names(flow), @r#"["changed", "examples", "flow", "requests", "rows", "sampled", "tested", "took"]"#);
    insta::assert_compact_debug_snapshot!(names(&flow["took"]), @r#"["a", "adjusted_p", "b", "changed", "difference", "interval", "measure", "p_value", "percentile", "requests", "unit", "variance_inflation"]"#);
}
