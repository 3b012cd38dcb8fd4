//! Tests of statements: tables of their results, and those that a step repeats.

use serde_json::json;
use zerver_trace::{Answer, Decision, Event, Recorded, Trace};

use super::{NoSqlCall, RepeatedStatement, ResultTable};
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
    let batched: Vec<_> = found[0].batched().collect();
    assert_eq!(batched, [(0, 9_005 * US), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]);
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

#[test]
fn a_call_is_selected_by_its_number_or_a_text() {
    let timeline = Timeline::of(&request(&[
        ("sql", "select * from a", 0, 5),
        ("http", "select * from a", 10, 500),
        ("sql", "select *\n from b", 1000, 50),
        ("sql", "select * from B where c", 2000, 20),
    ]));
    let select = |wanted| timeline.sql_call(wanted).map(|(call, selected)| (call.call, selected));
    assert_eq!(select(None), Ok((2, 3)), "the slowest");
    assert_eq!(select(Some("0")), Ok((0, 1)));
    assert_eq!(select(Some("FROM b")), Ok((2, 2)));
    assert_eq!(select(Some("where")), Ok((3, 1)));
    let error = |wanted| timeline.sql_call(Some(wanted)).unwrap_err().to_string();
    assert!(error("1").starts_with("call 1 is not an SQL call but http "), "{}", error("1"));
    assert!(error("7").starts_with("no SQL call has the number or contains the text \"7\"; there are: 0 "));
    assert!(error("insert").contains("\"insert\""));
    let (call, _) = timeline.sql_call(None).unwrap();
    assert_eq!((call.duration_ns, &*call.statements), (50 * US, &["select * from b".to_owned()][..]));
    let none = Timeline::of(&request(&[("http", "x", 0, 5)]));
    assert_eq!(none.sql_call(None), Err(NoSqlCall::NoneRecorded));
    assert_eq!(none.sql_call(Some("x")), Err(NoSqlCall::NoneRecorded));
}
