//! Result tables, and statements that a step repeats.

use serde_json::json;
use zerver_trace::{Answer, Decision, Event, Recorded, Trace};

use super::{RepeatedStatement, ResultTable};
use crate::timeline::Timeline;
use zerver_testkit::sample::{US, answered, asked, flow, plain, ran, trace};

fn query(text: &str, id: u64) -> Recorded {
    plain(json!({"database": "default", "statements": [{"text": text, "params": [id], "fetch": "rows"}]}))
}

fn rows() -> Recorded {
    plain(json!({
        "attempts": 1,
        "results": [
            {"columns": [], "rows": [], "affected": 2, "truncated": false},
            {
                "columns": [{"name": "id", "type": "int8"}, {"name": "title", "type": "text"}],
                "rows": [{"id": 1, "title": "milk"}, {"id": 2, "title": null}],
                "affected": 2,
                "truncated": true,
            },
        ],
    }))
}

/// A request whose step performs these statements, each at a time in microseconds and for a number of them.
fn request(statements: &[(&'static str, &str, u64, u64)]) -> Trace {
    let mut events: Vec<Event<Recorded>> = vec![ran(0, 0, 1, 1, Decision::Need)];
    for (call, (kind, text, at, took)) in (0..).zip(statements) {
        events.push(asked(call, 0, *at, kind, query(text, call.into()), 1));
        events.push(answered(call, at + took, Answer::Ok(rows())));
    }
    trace(flow(&[], &[("load_comments", &[], &[])]), 90_000 * US, events)
}

fn repeated(statements: &[(&'static str, &str, u64, u64)]) -> Vec<RepeatedStatement> {
    Timeline::of(&request(statements)).repeated_statements()
}

#[test]
fn a_statement_that_a_step_repeats_is_found() {
    let texts = ["select * from c where id = $1", "select *  from c where id = $1 -- again"];
    let runs: Vec<_> =
        (0..6).map(|at| ("sql", texts[at % 2], 10_000 * at as u64, 9_000 + at as u64)).collect();
    let found = repeated(&runs);
    let [RepeatedStatement { step, runs: count, time_ns, saving_ns, .. }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((step.as_str(), *count), ("load_comments", 6));
    assert_eq!((*time_ns, *saving_ns), (54_015 * US, (54_015 - 9_005) * US));
}

#[test]
fn few_short_concurrent_or_other_calls_are_no_finding() {
    let text = "select 1";
    let runs = |kind: &'static str, count: u64, every: u64, took: u64| {
        repeated(&(0..count).map(|at| (kind, text, every * at, took)).collect::<Vec<_>>())
    };
    assert_eq!(runs("sql", 4, 20_000, 19_000), []);
    assert_eq!(runs("sql", 20, 100, 90), []);
    assert_eq!(runs("sql", 20, 1, 60_000), [], "they ran at the same time");
    assert_eq!(runs("http", 6, 15_000, 14_000), []);
    assert_eq!(runs("sql", 6, 15_000, 14_000).len(), 1);
}

#[test]
fn results_are_tables() {
    let timeline = Timeline::of(&request(&[("sql", "select 1", 0, 5), ("http", "select 1", 6, 5)]));
    let effects = &timeline.runs[0].effects;
    let text = |text: &str| Some(text.to_owned());
    let expected = ResultTable {
        columns: vec!["id".to_owned(), "title".to_owned()],
        rows: vec![vec![text("1"), text("milk")], vec![text("2"), None]],
        is_truncated: true,
    };
    assert_eq!(ResultTable::of(&effects[0]), [expected]);
    assert_eq!(ResultTable::of(&effects[1]), []);
}

#[test]
fn an_output_of_another_form_is_no_table() {
    let outputs = [
        json!(7),
        json!({"results": 7}),
        json!({"results": [{"columns": [{"name": 1}], "rows": []}]}),
        json!({"results": [{"columns": [{"name": "id"}], "rows": [{"id": 1, "more": 2}]}]}),
        json!({"results": [{"columns": [{"name": "id"}], "rows": {"id": 1}}]}),
        json!({"attempts": 1, "error": {"sqlstate": "23505", "message": "exists"}}),
    ];
    for output in outputs {
        let events = vec![
            ran(0, 0, 1, 1, Decision::Need),
            asked(0, 0, 1, "sql", query("select 1", 1), 1),
            answered(0, 2, Answer::Ok(plain(&output))),
        ];
        let timeline = Timeline::of(&trace(flow(&[], &[("load", &[], &[])]), 10 * US, events));
        assert_eq!(ResultTable::of(&timeline.runs[0].effects[0]), [], "{output}");
    }
}
