//! The diff screen.

use zerver_trace::Trace;

use super::*;
use crate::message::Navigation;

pub(super) fn two() -> Vec<Trace> {
    vec![sample::report(0), sample::report(250)]
}

/// The newest request is on top: the slow one.
fn diff(width: u16, height: u16) -> TestApp {
    let mut ui = TestApp::new(width, height, two());
    ui.press("jdkd");
    ui
}

#[test]
fn a_diff_fits_80_columns() {
    insta::assert_snapshot!(diff(80, 24).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     a 019aa4c2-1f3b  200     430 µs  GET /reports/todos?latency_ms=0  report
     b 019aa5bc-1f3b  200     250 ms  GET /reports/todos?latency_ms=250  report
     250 ms slower: 100% http GET figures.internal/figures?.. (370 µs -> 250 ms);
     first difference: request query latency_ms 0 -> 250
    ─ steps: a, b, b-a   ▀ a  ▄ b  █ both ──────────────────────────────────────────
     ≠ parse_report  ReportParams.latency_…  8.00 µs  8.00 µs     0 ns █
       gather                                10.0 µs  10.0 µs     0 ns █
     ≠   ↳ http GET figures.…  argument, r…   370 µs   250 ms  +250 ms █▄▄▄▄▄▄▄▄▄▄▄
         ↳ kv list todo                      10.0 µs  10.0 µs     0 ns █
       render_report                         25.0 µs  25.0 µs     0 ns ▀          ▄
    ─ differences ──────────────────────────────────────────────────────────────────
     causes of the time difference                                                 ┃
       +250 ms  effect      http GET figures.internal/figures?..  370 µs -> 250 ms ┃
       +250 ms  total                                                              ┃
                                                                                   ┃
     request                                                                       ┃
       query latency_ms  0 -> 250                                                  ┃
                                                                                   ┃
     effects                                                                       ┃
       http GET figures.internal/figures?..  argument url
         - http://figures.internal/figures?latency_ms=0
         + http://figures.internal/figures?latency_ms=250
     tab pane  enter open step  x swap  esc back  r replay b  ? keys  q quit
    ");
}

#[test]
fn a_diff_names_the_rate_limit_that_a_request_waited_for() {
    let mut ui = TestApp::new(80, 18, vec![sample::report(0), sample::rate_limited(1_200)]);
    ui.press("jdkd");
    insta::assert_snapshot!(ui.text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     a 019aa4c2-1f3b  200     430 µs  GET /reports/todos?latency_ms=0  report
     b 019aa972-1f3b  200     1.20 s  GET /reports/todos?latency_ms=0  report
     same decisions, values and response; 1.20 s slower: 100% wait for the rate
     limit of figures.internal (0 ns -> 1.20 s); first difference: effect wait of
     http GET figures.internal/figures?.. 370 µs -> 1.20 s
    ─ steps: a, b, b-a   ▀ a  ▄ b  █ both ──────────────────────────────────────────
       parse_report                          8.00 µs  8.00 µs     0 ns █           ┃
       gather                                10.0 µs  10.0 µs     0 ns █           ┃
         ↳ http GET figures.internal/figur…   370 µs   1.20 s  +1.20 s █▄▄▄▄▄▄▄▄▄▄▄┃
         ↳ kv list todo                      10.0 µs  10.0 µs     0 ns █
    ─ differences ──────────────────────────────────────────────────────────────────
     causes of the time difference
       +1.20 s  queue       wait for the rate limit of figures.internal
           0 ns -> 1.20 s
       +1.20 s  total
     same request, decisions, values and response
     tab pane  enter open step  x swap  esc back  r replay b  ? keys  q quit
    ");
}

#[test]
fn from_120_columns_the_differences_are_beside_the_steps() {
    insta::assert_snapshot!(diff(120, 30).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     a 019aa4c2-1f3b  200     430 µs  GET /reports/todos?latency_ms=0  report
     b 019aa5bc-1f3b  200     250 ms  GET /reports/todos?latency_ms=250  report
     250 ms slower: 100% http GET figures.internal/figures?.. (370 µs -> 250 ms); first difference: request query
     latency_ms 0 -> 250
    ─ steps: a, b, b-a   ▀ a  ▄ b  █ both ────────────────────── ─ differences ─────────────────────────────────────────────
     ≠ parse_report  Report…  8.00 µs  8.00 µs     0 ns █       │ causes of the time difference
       gather                 10.0 µs  10.0 µs     0 ns █       │   +250 ms  effect      http GET figures.internal/figures…
     ≠   ↳ http GET…  argum…   370 µs   250 ms  +250 ms █▄▄▄▄▄▄ │       370 µs -> 250 ms
         ↳ kv list todo       10.0 µs  10.0 µs     0 ns █       │   +250 ms  total
       render_report          25.0 µs  25.0 µs     0 ns ▀     ▄ │
                                                                │ request
                                                                │   query latency_ms  0 -> 250
                                                                │
                                                                │ effects
                                                                │   http GET figures.internal/figures?..  argument url
                                                                │     - http://figures.internal/figures?latency_ms=0
                                                                │     + http://figures.internal/figures?latency_ms=250
                                                                │   http GET figures.internal/figures?..  result took_ms
                                                                │       0 -> 250
                                                                │
                                                                │ slots
                                                                │   ReportParams.latency_ms  0 -> 250
                                                                │
                                                                │
                                                                │
                                                                │
                                                                │
                                                                │
     tab pane  enter open step  x swap  esc back  r replay b  ? keys  q quit
    ");
    assert!(!diff(119, 30).text().contains("│"), "{}", diff(119, 30).text());
}

#[test]
fn on_200_columns_the_differences_are_beside_the_steps() {
    insta::assert_snapshot!(diff(200, 24).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     a 019aa4c2-1f3b  200     430 µs  GET /reports/todos?latency_ms=0  report
     b 019aa5bc-1f3b  200     250 ms  GET /reports/todos?latency_ms=250  report
     250 ms slower: 100% http GET figures.internal/figures?.. (370 µs -> 250 ms); first difference: request query latency_ms 0 -> 250
    ─ steps: a, b, b-a   ▀ a  ▄ b  █ both ──────────────────────────────────────────────────────────────────────── ─ differences ───────────────────────────────────────────────────────────────────────────
     ≠ parse_report  ReportParams.latency_ms                       8.00 µs  8.00 µs     0 ns █                    │ causes of the time difference
       gather                                                      10.0 µs  10.0 µs     0 ns █                    │   +250 ms  effect      http GET figures.internal/figures?..  370 µs -> 250 ms
     ≠   ↳ http GET figures.internal/figures?..  argument, result   370 µs   250 ms  +250 ms █▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄ │   +250 ms  total
         ↳ kv list todo                                            10.0 µs  10.0 µs     0 ns █                    │
       render_report                                               25.0 µs  25.0 µs     0 ns ▀                  ▄ │ request
                                                                                                                  │   query latency_ms  0 -> 250
                                                                                                                  │
                                                                                                                  │ effects
                                                                                                                  │   http GET figures.internal/figures?..  argument url
                                                                                                                  │     - http://figures.internal/figures?latency_ms=0
                                                                                                                  │     + http://figures.internal/figures?latency_ms=250
                                                                                                                  │   http GET figures.internal/figures?..  result took_ms  0 -> 250
                                                                                                                  │
                                                                                                                  │ slots
                                                                                                                  │   ReportParams.latency_ms  0 -> 250
                                                                                                                  │
                                                                                                                  │
                                                                                                                  │
     tab pane  enter open step  x swap  esc back  r replay b  ? keys  q quit
    ");
}

#[test]
fn a_diff_in_ascii_mode_is_ascii() {
    let look = Appearance { colors: ColorScheme::Mono, is_ascii: true };
    let mut ui = TestApp::with_appearance(look, 80, 24, vec![sample::slow(), numbered(sample::failed(), 1)]);
    let text = ui.press("jdkd").text();
    assert!(text.contains("idp.example.com") && text.is_ascii(), "{text}");
}

#[test]
fn keys_of_the_diff_screen() {
    let text = diff(80, 24).text();
    let mut ui = diff(80, 24);
    assert_ne!(ui.press("x").text(), text, "swapped");
    assert_eq!(ui.press("x").text(), text, "and back");
    ui.press("jj<enter>");
    let line = ui.text().lines().nth(1).unwrap_or_default().to_owned();
    assert!(line.contains("250"), "the second request is open: {line}");
    ui.press("<esc>");
    let details = ui.press("<tab>G").text();
    assert!(details.contains("ReportParams.latency_ms  0 -> 250"), "{details}");
    assert!(diff(80, 24).press("<esc>").text().contains("status"), "back to the list");
    let selected = TestApp::new(80, 24, two()).press("dd").text();
    assert!(selected.contains("comparison canceled"), "{selected}");
}

#[test]
fn a_diff_can_be_the_start_screen() {
    let mut ui = TestApp::new(80, 24, two());
    let show = Navigation::Diff(two()[0].id, two()[1].id);
    let commands = start(&mut ui.app, StartScreen::Diff(two()[0].id, two()[1].id));
    assert_eq!(commands.len(), 2, "{show:?} asks for both");
}

#[test]
fn a_diff_names_what_each_request_was_queued_behind() {
    let [queued, report] = timeline::queued_and_holder();
    let text = TestApp::new(160, 50, vec![report, queued]).press("jdkd").text();
    let of = |line: &str| line.rsplit('│').next().unwrap_or_default().trim().to_owned();
    let lines: Vec<String> = text.lines().map(of).skip_while(|line| line != "queue of b").take(3).collect();
    assert_eq!(lines[1], "1.93 ms of 2.92 ms behind parse_auth of todos-item (019aa4b2-1f3b)", "{text}");
    assert!(lines[2].starts_with("985 µs of 2.92 ms ") && !text.contains("queue of a"), "{text}");
}
