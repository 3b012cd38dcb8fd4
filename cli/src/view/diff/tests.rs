//! Whole documents, and that recorded text is never printed raw.

use anstream::adapter::strip_str;
use proptest::prelude::*;
use zerver_analysis::IgnoredHeaders;
use zerver_trace::text::is_dangerous;
use zerver_trace::{Decision, Header};

use super::*;
use zerver_testkit::hostile::any_trace;
use zerver_testkit::sample::{self, plain, ran, summed, wire};

fn styled(a: &Trace, b: &Trace, columns: usize, is_verbose: bool) -> String {
    let of = Diff::of(a, b, &IgnoredHeaders::default());
    diff(a, b, &of, &[None, None], Layout { columns, folds: true, digits: 8, is_verbose })
}

fn show(a: &Trace, b: &Trace, columns: usize) -> String {
    let text = strip_str(&styled(a, b, columns, false)).to_string();
    let widest = text.lines().map(width).max().unwrap_or(0);
    assert!(widest <= columns, "{widest} of {columns} columns:\n{text}");
    text
}

#[test]
fn a_slow_report_on_80_columns() {
    insta::assert_snapshot!(show(&sample::report(0), &sample::report(250), 80), @r"
    a  019aa4c2  GET /reports/todos?latency_ms=0  200 OK  430 µs  report
    b  019aa5bc  GET /reports/todos?latency_ms=250  200 OK  250 ms  report
    verdict  250 ms slower: 100% http GET figures.internal/figures?.. (370 µs -> 250
             ms); first difference: request query latency_ms 0 -> 250
            a        b      b-a
      8.00 µs  8.00 µs     0 ns  ≠ parse_report  ReportParams.latenc…        │
      10.0 µs  10.0 µs     0 ns    gather                                    │
       370 µs   250 ms  +250 ms  ≠   ↳ http GET fig…  argument, resu…        │██████
      10.0 µs  10.0 µs     0 ns      ↳ kv list todo                          │
      25.0 µs  25.0 µs     0 ns    render_report                             │
    total    +250 ms = 250 ms effects
    request  query latency_ms  0 -> 250
    effects  http GET figures.internal/figures?..  argument url
               - http://figures.internal/figures?latency_ms=0
               + http://figures.internal/figures?latency_ms=250
             http GET figures.internal/figures?..  result took_ms  0 -> 250
    slots    ReportParams.latency_ms  0 -> 250
    ");
}

#[test]
fn a_report_that_waited_for_a_rate_limit() {
    insta::assert_snapshot!(show(&sample::report(0), &sample::rate_limited(1_200), 80), @r"
    a  019aa4c2  GET /reports/todos?latency_ms=0  200 OK  430 µs  report
    b  019aa972  GET /reports/todos?latency_ms=0  200 OK  1.20 s  report
    verdict  same decisions, values and response; 1.20 s slower: 100% wait for the
             rate limit of figures.internal (0 ns -> 1.20 s); first difference:
             effect wait of http GET figures.internal/figures?.. 370 µs -> 1.20 s
            a        b      b-a
      8.00 µs  8.00 µs     0 ns    parse_report                              │
      10.0 µs  10.0 µs     0 ns    gather                                    │
       370 µs   1.20 s  +1.20 s      ↳ http GET figures.internal/fig…        │██████
      10.0 µs  10.0 µs     0 ns      ↳ kv list todo                          │
      25.0 µs  25.0 µs     0 ns    render_report                             │
    total    +1.20 s = 1.20 s queue
    ");
}

#[test]
fn a_slow_report_on_120_columns() {
    insta::assert_snapshot!(show(&sample::report(0), &sample::report(250), 120), @r"
    a  019aa4c2  GET /reports/todos?latency_ms=0  200 OK  430 µs  report
    b  019aa5bc  GET /reports/todos?latency_ms=250  200 OK  250 ms  report
    verdict  250 ms slower: 100% http GET figures.internal/figures?.. (370 µs -> 250 ms); first difference: request query
             latency_ms 0 -> 250
            a        b      b-a
      8.00 µs  8.00 µs     0 ns  ≠ parse_report  ReportParams.latency_ms                                 │
      10.0 µs  10.0 µs     0 ns    gather                                                                │
       370 µs   250 ms  +250 ms  ≠   ↳ http GET figures.internal/figures?..  argument, result            │██████████
      10.0 µs  10.0 µs     0 ns      ↳ kv list todo                                                      │
      25.0 µs  25.0 µs     0 ns    render_report                                                         │
    total    +250 ms = 250 ms effects
    request  query latency_ms  0 -> 250
    effects  http GET figures.internal/figures?..  argument url
               - http://figures.internal/figures?latency_ms=0
               + http://figures.internal/figures?latency_ms=250
             http GET figures.internal/figures?..  result took_ms  0 -> 250
    slots    ReportParams.latency_ms  0 -> 250
    ");
}

#[test]
fn a_failure_compared_with_a_success() {
    insta::assert_snapshot!(show(&sample::slow(), &sample::failed(), 100), @r#"
    a  019aa4c2  GET /v1/todos/456?full=1  200 OK  5.40 ms  todos-item
    b  019aa4c2  GET /v1/todos/456?full=1  404 Not Found  900 µs  todos-item
    verdict  a succeeded (200), b failed (404); 4.50 ms faster: 50% kv get todo:456 (2.68 ms -> 250 µs);
             first difference: effect wait of http GET idp.example.com/verify 2.18 ms -> 600 µs
            a        b       b-a
       100 µs  10.0 µs  -90.0 µs    parse_auth                                            ▐│
      20.0 µs  5.00 µs  -15.0 µs    lookup_user                                            │
      2.18 ms   600 µs  -1.58 ms  ≠   ↳ http GET idp.example.com/verify  attempts    ▐█████│
      45.0 µs  5.00 µs  -40.0 µs    verify_roles                                          ▐│
      20.0 µs  5.00 µs  -15.0 µs    load_todo                                              │
      2.68 ms   250 µs  -2.43 ms  ≠   ↳ kv get todo:456  result, Todo              ████████│
       280 µs        -   -280 µs  - render_todo                                           █│
    total    -4.50 ms = -4.41 ms effects + 400 µs retries - 280 µs missing - 160 µs CPU - 25.0 µs queue
             - 20.0 µs receiving - 5.00 µs unexplained
    effects  http GET idp.example.com/verify  attempts  1 -> 2
             kv get todo:456  result  {id: 456, title: "Buy milk", done: false} -> none
    slots    Todo  {id: 456, title: "Buy milk", done: false} -> nothing
    response outcome  done -> not_found todo 456
             status  200 -> 404
    "#);
}

#[test]
fn the_same_but_later() {
    let mut again = sample::report(250);
    again.duration_ns += 40_000;
    again.build = "todos 0.1.1".into();
    again.response_headers.push(Header { name: "date".into(), value: wire(b"Tue") });
    again.events_dropped = 3;
    insta::assert_snapshot!(show(&sample::report(250), &again, 80), @r"
    a  019aa5bc  GET /reports/todos?latency_ms=250  200 OK  250 ms  report
    b  019aa5bc  GET /reports/todos?latency_ms=250  200 OK  250 ms  report
    builds   different: todos 0.1.0, then todos 0.1.1
    verdict  not everything could be compared; 40.0 µs slower: 100% unexplained
             (5.00 -> 45.0 µs); only times differ in what was compared
            a        b   b-a
      8.00 µs  8.00 µs  0 ns    parse_report                                 │
      10.0 µs  10.0 µs  0 ns    gather                                       │
       250 ms   250 ms  0 ns      ↳ http GET figures.internal/figure…        │
      10.0 µs  10.0 µs  0 ns      ↳ kv list todo                             │
      25.0 µs  25.0 µs  0 ns    render_report                                │
    total    +40.0 µs = 40.0 µs unexplained
    ignored  date (headers; --all-headers)
    missing  b: 3 events dropped while recording
    ");
}

#[test]
fn different_flows_say_so() {
    let text = show(&sample::slow(), &sample::report(0), 80);
    assert!(text.contains("flows    different: a is of todos-item, b of report"), "{text}");
}

#[test]
fn long_texts_are_shortened_around_the_change() {
    let with = |word: &str| {
        let mut trace = sample::slow();
        let text = format!("{} {word} {}\nsecond line\n", "before ".repeat(20), "after ".repeat(20));
        trace.response_body.bytes = wire(text.as_bytes());
        trace.events[6] =
            sample::wrote(1, 1, 2_350, plain(["some claim that is long", word, "and more of the same"]));
        trace
    };
    let text = show(&with("milk"), &with("bread"), 80);
    let from = text.find("slots").unwrap();
    insta::assert_snapshot!(&text[from..], @r#"
    slots    Claims[1]  "milk" -> "bread"
    response body
               - … before before  milk after after aft…
               + … before before  bread after after aft…
    "#);
}

#[test]
fn recorded_text_is_never_printed_raw_and_secrets_not_at_all() {
    const EVIL: &str = "e\u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}\u{2028}\n\r\tl";
    let evil = |n: usize| {
        let text = EVIL.repeat(n);
        let mut flow = sample::flow(&[(EVIL, false), ("Two", true)], &[(EVIL, &[0], &[0])]);
        flow.name = format!("{EVIL}{n}");
        let mut trace = sample::trace(
            flow,
            10_000 * n as u64,
            vec![
                ran(0, 0, 0, 1, Decision::Need),
                sample::asked(0, 0, 1, "kv", summed(&text, EVIL), 1),
                sample::answered(0, 1 + n as u64, zerver_trace::Answer::Ok(summed(&text, EVIL))),
                sample::wrote(0, 0, 2, plain([&text])),
                sample::wrote(0, 1, 2, plain(format!("hunter{n}"))),
            ],
        );
        (trace.method, trace.path, trace.build) = (text.clone(), text.clone(), text.clone());
        trace.target = wire(format!("/{EVIL}?{EVIL}={n}").as_bytes());
        trace.response_headers = vec![Header { name: EVIL.into(), value: wire(text.as_bytes()) }];
        trace.response_body.bytes = wire(text.as_bytes());
        trace
    };
    for (columns, is_verbose) in [(100, false), (40, false), (100, true)] {
        let text = strip_str(&styled(&evil(1), &evil(30), columns, is_verbose)).to_string();
        let raw: Vec<char> = text.chars().filter(|&c| is_dangerous(c) && c != '\n').collect();
        assert!(raw.is_empty(), "{raw:?} in {text}");
        assert!(text.contains("(secret)") && !text.contains("hunter"), "{text}");
    }
}

#[test]
fn many_rows_without_a_difference_are_left_out() {
    let steps: Vec<(&str, &[u16], &[u16])> = vec![("step", &[], &[]); 60];
    let of = |slow: u64| {
        let mut events: Vec<_> =
            (0..60).map(|n| ran(n, u64::from(n), u64::from(n), 1, Decision::Continue)).collect();
        events[30] = ran(30, 30, 30, slow, Decision::Continue);
        sample::trace(sample::flow(&[], &steps), 60_000 + slow * 1_000, events)
    };
    let text = show(&of(1), &of(50), 80);
    assert!(text.lines().count() < 10 && text.contains("59 rows without a difference left out"), "{text}");
}

proptest! {
    #[test]
    fn any_two_traces_can_be_shown(a in any_trace(), b in any_trace(), columns in 0..200usize) {
        for is_verbose in [false, true] {
            let text = strip_str(&styled(&a, &b, columns, is_verbose)).to_string();
            prop_assert!(!text.chars().any(|c| is_dangerous(c) && c != '\n'), "{}", text);
        }
    }
}
