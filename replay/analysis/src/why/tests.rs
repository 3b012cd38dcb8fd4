//! Comparison of a request with others: ranks, correlations, and too few requests.

use proptest::prelude::*;
use zerver_trace::{Header, RequestId, Trace};

use super::*;
use zerver_testkit::hostile::any_trace;
use zerver_testkit::sample::{asked, late, plain, rate_limited, report, slow, summed, wire, wrote};

fn show(trace: &Trace, others: &[Trace]) -> String {
    let why = Why::of(trace, others);
    let line = |it: &RankedTime| {
        format!(
            "{:?} {} usually {} slower than {} of {}\n",
            it.part, it.time_ns, it.median_ns, it.slower_than, it.others
        )
    };
    let mut out = line(&why.total);
    why.parts.iter().take(3).for_each(|part| out += &line(part));
    for finding in &why.associations {
        out += &format!(
            "{} here {:?} n {}: {:?}\n",
            finding.field, finding.value, finding.requests, finding.correlation
        );
    }
    out + &format!("{} fields of {} requests\n", why.fields_examined, why.population)
}

/// Creates reports with these latencies, each with its own id and a header that names the client.
fn reports(latencies: impl IntoIterator<Item = u64>) -> Vec<Trace> {
    let numbered = |(at, latency_ms): (usize, u64)| {
        let mut trace = report(latency_ms);
        trace.id = RequestId::from_u128(at as u128);
        let agent = if at % 2 == 0 { "curl" } else { "browser" };
        trace.request_headers.push(Header { name: "user-agent".into(), value: wire(agent.as_bytes()) });
        trace
    };
    latencies.into_iter().enumerate().map(numbered).collect()
}

#[test]
fn a_number_correlates_with_latency() {
    let all = reports((0..40).map(|n| n * 7 % 40));
    insta::assert_snapshot!(show(&all[17], &all), @r#"
    Whole 39430000 usually 19430000 slower than 39 of 39
    Effect { step: "gather", what: "http GET figures.internal/figures?.." } 39370000 usually 19370000 slower than 39 of 39
    Receive 10000 usually 10000 slower than 0 of 39
    Queue("parse_report") 2000 usually 2000 slower than 0 of 39
    query latency_ms here Some("39") n 40: Rank(1.0)
    ReportParams.latency_ms here Some("39") n 40: Rank(1.0)
    3 fields of 40 requests
    "#);
}

#[test]
fn a_value_among_few_correlates_with_latency() {
    let all = reports((0..40).map(|n| if n % 4 == 0 { 120 } else { 2 }));
    insta::assert_snapshot!(show(&all[0], &all), @r#"
    Whole 120430000 usually 2430000 slower than 30 of 39
    Effect { step: "gather", what: "http GET figures.internal/figures?.." } 120370000 usually 2370000 slower than 30 of 39
    Receive 10000 usually 10000 slower than 0 of 39
    Queue("parse_report") 2000 usually 2000 slower than 0 of 39
    query latency_ms here Some("120") n 40: Groups([ValueGroup { value: Some("120"), requests: 10, median_ns: 120430000 }, ValueGroup { value: Some("2"), requests: 30, median_ns: 2430000 }])
    ReportParams.latency_ms here Some("120") n 40: Groups([ValueGroup { value: Some("120"), requests: 10, median_ns: 120430000 }, ValueGroup { value: Some("2"), requests: 30, median_ns: 2430000 }])
    3 fields of 40 requests
    "#);
}

#[test]
fn too_few_requests_give_no_correlation_and_other_flows_do_not_count() {
    let mut few = reports(0..19);
    few.push(slow());
    insta::assert_snapshot!(show(&few[18], &few), @r#"
    Whole 18430000 usually 9430000 slower than 18 of 18
    Effect { step: "gather", what: "http GET figures.internal/figures?.." } 18370000 usually 9370000 slower than 18 of 18
    Receive 10000 usually 10000 slower than 0 of 18
    Queue("parse_report") 2000 usually 2000 slower than 0 of 18
    0 fields of 19 requests
    "#);
    insta::assert_snapshot!(show(&few[18], &[]), @r#"
    Whole 18430000 usually 18430000 slower than 0 of 0
    Receive 10000 usually 10000 slower than 0 of 0
    Queue("parse_report") 2000 usually 2000 slower than 0 of 0
    Cpu("gather") 10000 usually 10000 slower than 0 of 0
    0 fields of 1 requests
    "#);
}

#[test]
fn effects_with_varying_targets_are_ranked_by_kind() {
    let with = |n: u64| {
        let mut trace = slow();
        trace.id = RequestId::from_u128(n.into());
        trace.events[9] = asked(1, 3, 2_420, "kv", summed(("todo", n), &format!("get todo:{n}")), 1);
        trace
    };
    let all: Vec<Trace> = (0..4).map(with).collect();
    let why = Why::of(&all[0], &all);
    let effect = |step: &str, what: &str| TimePart::Effect { step: step.into(), what: what.into() };
    let places: Vec<&TimePart> = why.parts.iter().map(|part| &part.part).collect();
    assert!(places.contains(&&effect("load_todo", "kv")), "{places:?}");
    assert!(places.contains(&&effect("lookup_user", "http GET idp.example.com/verify")), "{places:?}");
}

#[test]
fn secrets_are_not_fields() {
    let fields = |is_secret: bool| {
        let with = |n: u64| {
            let mut trace = slow();
            trace.id = RequestId::from_u128(n.into());
            trace.duration_ns += n;
            // The first slot is secret, the second is not.
            let slot = if is_secret { 0 } else { 1 };
            trace.events[2] = wrote(0, slot, 150, plain(n));
            if !is_secret {
                trace.events.remove(6);
            }
            trace
        };
        let all: Vec<Trace> = (0..40).map(with).collect();
        Why::of(&all[39], &all).associations.into_iter().map(|finding| finding.field).collect::<Vec<_>>()
    };
    assert_eq!(fields(false), ["Claims"]);
    assert_eq!(fields(true), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_population_can_be_compared(mut all in prop::collection::vec(any_trace(), 1..30)) {
        for (at, trace) in all.iter_mut().enumerate() {
            trace.id = RequestId::from_u128(at as u128);
        }
        let why = Why::of(&all[0], &all);
        prop_assert_eq!(why.population, all.len());
        // The parts of one request add up to its total. Phases and waits are parts of effects.
        let parts = why.parts.iter().filter(|part| !matches!(part.part, TimePart::Phase { .. } | TimePart::PolicyWait { .. }));
        prop_assert_eq!(parts.map(|part| u128::from(part.time_ns)).sum::<u128>(), u128::from(why.total.time_ns));
        serde_json::to_string(&WhyJson::new(&all[0], &why)).unwrap();
    }
}

#[test]
fn late_answers_are_a_separate_part() {
    let mut other = slow();
    other.id = RequestId::from_u128(1);
    let why = Why::of(&late(), &[other]);
    let part =
        why.parts.iter().find(|part| part.part == TimePart::CompletionDelay("load_todo".into())).unwrap();
    assert_eq!((part.time_ns, part.median_ns, part.part.kind()), (2_600_000, 0, "completion_delay"));
    assert_eq!(why.parts[0].part, part.part, "it exceeds what is usual by most");
    let json = serde_json::to_value(WhyJson::new(&late(), &why)).unwrap();
    assert_eq!(
        (&json["completion_delay"]["step"], &json["completion_delay"]["delay_ns"]),
        (&"spin".into(), &2_600_000.into())
    );
}

#[test]
fn a_wait_that_a_policy_has_caused_is_a_part() {
    let all: Vec<_> = [1_200, 10, 11, 12].map(rate_limited).into();
    let why = Why::of(&all[0], &all);
    let named = why.parts.iter().find(|part| part.part.kind() == "policy_wait").unwrap();
    insta::assert_debug_snapshot!((&named.part, named.time_ns, named.median_ns), @r#"
    (
        PolicyWait {
            step: "gather",
            what: "wait for the rate limit of figures.internal",
        },
        1200000000,
        11000000,
    )
    "#);
}

#[test]
fn injected_faults_of_the_request_are_listed() {
    let mut drilled = report(250);
    let rule = zerver_trace::Name::from("http=latency:249ms:5%");
    drilled.events.push(zerver_trace::Event::FaultInjected { call: 0, at_ns: 3, rule });
    let why = Why::of(&drilled, &[report(1)]);
    let fault = crate::InjectedFault { call: 0, at_ns: 3, rule: "http=latency:249ms:5%".to_owned() };
    assert_eq!(why.injected_faults.len(), 1);
    assert_eq!(why.injected_faults[0].1, fault);
    let json = serde_json::to_value(WhyJson::new(&drilled, &why)).unwrap();
    assert_eq!(json["injected_faults"][0]["effect"], why.injected_faults[0].0);
    assert_eq!(json["injected_faults"][0]["rule"], "http=latency:249ms:5%");
    assert_eq!(Why::of(&report(250), &[drilled]).injected_faults, []);
}
