//! Whatever was recorded comes out again.

use super::*;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Left(u64);

#[step]
fn count(start: &Start, left: Option<Left>) -> Decision<Sum, Left> {
    match left.map_or(start.0 % 4, |left| left.0) {
        0 => Continue(Sum { of: 0, sort: None }),
        n => Yield(Left(n - 1)),
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
    fn what_is_recorded_is_replayed(n in 0u64..60, last_first: bool, stop_after in 0usize..24, which in 0..3) {
        let def = match which {
            0 => sums(),
            1 => flow!("other", GET "/", steps: [parse, count, gather, render]),
            _ => flow!("short", GET "/", steps: [parse, count, gather, check, render_more]),
        };
        let trace = record(&def, Request::get(&format!("/?n={n}")), last_first, stop_after);
        let decisions = trace.events.iter().filter(|event| matches!(event, zerver_trace::Event::Ran { .. })).count();
        let report = again(trace, &def, &Edits::default()).unwrap();
        proptest::prop_assert!(report.is_same(), "{}", told(&report));
        proptest::prop_assert_eq!(report.coverage.decisions as usize, decisions);
    }
}
