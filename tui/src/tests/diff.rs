//! The diff screen.

use zerver_trace::Trace;

use super::*;
use crate::message::Navigation;

pub(super) fn two() -> Vec<Trace> {
    vec![sample::report(0), sample::report(250)]
}

/// The newest request is on top: the slow one.
fn diff(width: u16, height: u16) -> TestApp {
    let mut stage = TestApp::new(width, height, two());
    stage.press("jdkd");
    stage
}

#[test]
fn a_diff_on_80_columns() {
    insta::assert_snapshot!(diff(80, 24).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     a 019aa4c2-1f3b  200   430.0 µs  GET /reports/todos?latency_ms=0  report
     b 019aa5bc-1f3b  200  250.43 ms  GET /reports/todos?latency_ms=250  report
     250.00 ms slower: 100% http GET figures.internal/figures?.. (370.0 µs ->
     250.37 ms); first difference: request query latency_ms 0 -> 250
    ─ steps, in ms: a, b, and b-a   ▀ a  ▄ b  █ both ───────────────────────────────
     ≠ parse_report  ReportParams.latency_ms    0.01    0.01     0.00 █
       gather                                   0.01    0.01     0.00 █
     ≠   ↳ http GET figures.in…  argument, re…  0.37  250.37  +250.00 █▄▄▄▄▄▄▄▄▄▄▄▄
         ↳ kv list todo                         0.01    0.01     0.00 █
       render_report                            0.03    0.03     0.00 ▀           ▄
    ─ what differs ─────────────────────────────────────────────────────────────────
     where the difference is                                                       ┃
       +250.00 ms  effect      http GET figures.internal/figures?..  370.0 µs -> 2…┃
       +250.00 ms  in all                                                          ┃
                                                                                   ┃
     request                                                                       ┃
       query latency_ms  0 -> 250                                                  ┃
                                                                                   ┃
     effects                                                                       ┃
       http GET figures.internal/figures?..  argument url
         - http://figures.internal/figures?latency_ms=0
         + http://figures.internal/figures?latency_ms=250
     tab other part  enter open  x swap  esc back  ? keys  q quit
    ");
}

#[test]
fn a_diff_on_200_columns_has_what_differs_at_its_side() {
    insta::assert_snapshot!(diff(200, 24).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     a 019aa4c2-1f3b  200   430.0 µs  GET /reports/todos?latency_ms=0  report
     b 019aa5bc-1f3b  200  250.43 ms  GET /reports/todos?latency_ms=250  report
     250.00 ms slower: 100% http GET figures.internal/figures?.. (370.0 µs -> 250.37 ms); first difference: request query latency_ms 0 -> 250
    ─ steps, in ms: a, b, and b-a   ▀ a  ▄ b  █ both ───────────────────────────────────────────────────────────── ─ what differs ──────────────────────────────────────────────────────────────────────────
     ≠ parse_report  ReportParams.latency_ms                       0.01    0.01     0.00 █                        │ where the difference is
       gather                                                      0.01    0.01     0.00 █                        │   +250.00 ms  effect      http GET figures.internal/figures?..  370.0 µs -> 250.37 ms
     ≠   ↳ http GET figures.internal/figures?..  argument, result  0.37  250.37  +250.00 █▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄ │   +250.00 ms  in all
         ↳ kv list todo                                            0.01    0.01     0.00 █                        │
       render_report                                               0.03    0.03     0.00 ▀                      ▄ │ request
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
     tab other part  enter open  x swap  esc back  ? keys  q quit
    ");
}

#[test]
fn a_diff_in_ascii() {
    let look = Appearance { colors: ColorScheme::Mono, is_ascii: true };
    let mut stage = TestApp::looking(look, 80, 24, vec![sample::slow(), numbered(sample::failed(), 1)]);
    let text = stage.press("jdkd").text();
    assert!(text.contains("idp.example.com") && text.is_ascii(), "{text}");
}

#[test]
fn the_keys_of_a_diff() {
    let text = diff(80, 24).text();
    let mut stage = diff(80, 24);
    assert_ne!(stage.press("x").text(), text, "the two are exchanged");
    assert_eq!(stage.press("x").text(), text, "and back");
    stage.press("jj<enter>");
    let line = stage.text().lines().nth(1).unwrap_or_default().to_owned();
    assert!(line.contains("250"), "the second request is open: {line}");
    stage.press("<esc>");
    let details = stage.press("<tab>G").text();
    assert!(details.contains("ReportParams.latency_ms  0 -> 250"), "{details}");
    assert!(diff(80, 24).press("<esc>").text().contains("status"), "back to the list");
    let chosen = TestApp::new(80, 24, two()).press("dd").text();
    assert!(chosen.contains("not compared any more"), "{chosen}");
}

#[test]
fn two_requests_can_be_the_first_screen() {
    let mut stage = TestApp::new(80, 24, two());
    let show = Navigation::Diff(two()[0].id, two()[1].id);
    let commands = start(&mut stage.app, StartScreen::Diff(two()[0].id, two()[1].id));
    assert_eq!(commands.len(), 2, "{show:?} asks for both");
}
