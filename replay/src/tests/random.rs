//! Property: whatever was recorded is reproduced.

use super::*;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Remarks(u64);

#[step]
fn count(start: &Start, left: Option<Remarks>) -> Decision<Sum, Remarks> {
    match left.map_or(start.0 % 4, |left| left.0) {
        0 => Continue(Sum { of: 0, sort: None }),
        n => Yield(Remarks(n - 1)),
    }
}

#[step]
fn gather(start: &Start, sum: &Sum) -> Decision<Sort> {
    let many = (0..start.0 % 5)
        .map(|n| effect(Echo(n % 2)).and_then(move |m| effect(Echo(m + n))))
        .collect::<Vec<Effect<u64>>>();
    let of = sum.of;
    Need(zerver_engine::join_all(many).and_then(|all| Effect::ready(all.iter().sum())).try_map(
        move |sum: u64| match sum {
            7 => Err(Failure::conflict("sum", of)),
            by if by % 3 == 0 => panic!("by {by}"),
            by => Ok(Sort::Odd { by }),
        },
    ))
}

proptest::proptest! {
    #[test]
    fn virtual_time_passes_as_the_recorded_one_did(n in 0u64..60, last_first: bool, stop_after in 0usize..48, which in 0..2, call: proptest::sample::Index) {
        let def = match which {
            0 => sums(),
            _ => flow!("short", GET "/", steps: [parse, count, gather, check, render_more]),
        };
        let trace = record(&def, Request::get(&format!("/?n={n}")), last_first, stop_after);
        let facts = Observed::of_trace(&trace);
        let calls: Vec<_> = facts.calls().map(|call| (call.number, call.took_ns().unwrap())).collect();
        proptest::prop_assume!(!calls.is_empty());
        let (number, ns) = *call.get(&calls);
        // As late as recorded: nothing differs, and the request takes as long.
        let late = |ns| {
            let fault = Fault { effect: number.to_string(), kind: FaultKind::Latency { ns } };
            again(trace.clone(), &def, &Edits { faults: vec![fault], ..Edits::default() }).unwrap()
        };
        let report = late(ns);
        let ending = report.edited_outcome.clone().unwrap();
        proptest::prop_assert!(report.is_same(), "{}", summary(&report));
        proptest::prop_assert_eq!(ending.duration_ns, ending.recorded_duration_ns);
        // Later than the whole request: the request is late as well, unless its client left by then.
        let later = late(ns + trace.duration_ns).edited_outcome.unwrap();
        let has_client_left = trace.outcome.as_str() == "gone";
        proptest::prop_assert_eq!(later.duration_ns > trace.duration_ns, !has_client_left, "{:?}", later);
    }

    #[test]
    fn what_is_recorded_is_replayed(n in 0u64..60, last_first: bool, stop_after in 0usize..24, which in 0..3) {
        let def = match which {
            0 => sums(),
            1 => flow!("other", GET "/", steps: [parse, count, gather, render]),
            _ => flow!("short", GET "/", steps: [parse, count, gather, check, render_more]),
        };
        let trace = record(&def, Request::get(&format!("/?n={n}")), last_first, stop_after);
        let decisions = trace.events.iter().filter(|event| matches!(event, zerver_trace::Event::StepRan { .. })).count();
        let report = again(trace, &def, &Edits::default()).unwrap();
        proptest::prop_assert!(report.is_same(), "{}", summary(&report));
        proptest::prop_assert_eq!(report.coverage.decisions_reproduced as usize, decisions);
    }
}
