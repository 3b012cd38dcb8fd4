//! The flows screen.

use zerver_analysis::{Timeline, Usual};

use super::diff::two;
use super::*;
use crate::services::FlowMeasurement;
use crate::state::{RunningStep, SchedulerStatus, WorkerStatus};

#[test]
fn a_flow_with_its_times() {
    let mut stage = TestApp::new(80, 24, Vec::new());
    stage.press("5");
    assert_eq!(stage.asked.last(), Some(&Command::ListFlows));
    let flow = (*sample::report(0).flow).clone();
    stage.send(Message::Flows(Ok(vec![flow])));
    assert_eq!(stage.asked.last(), Some(&Command::MeasureFlow("report".into())));
    let timelines: Vec<Timeline> = (0..100).map(|n| Timeline::of(&sample::report(n))).collect();
    let measured = FlowMeasurement { times: Usual::of(&timelines), unreadable: 0 };
    insta::assert_snapshot!(stage.send(Message::Measured("report".into(), Ok(Arc::new(measured)))).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    ─ flows ────────────────────────────────────────────────────────────────────────
     report  GET     /reports/todos  interactive
    ─ scheduler ────────────────────────────────────────────────────────────────────
     `zerver tui --addr HOST:PORT` asks a service that runs
    ─ report: over the newest 100 requests ─────────────────────────────────────────
     steps on the CPU, and their waits                   p50        p99
     whole request                                  49.43 ms   98.43 ms
     reading the body                                10.0 µs    10.0 µs
     unexplained                                      5.0 µs     5.0 µs
     ● parse_report                                   8.0 µs     8.0 µs  src/todos.…
     │ What parse_report is for.
     │ queue                                          2.0 µs     2.0 µs
     │ writes ReportParams
     ● gather                                        10.0 µs    10.0 µs  src/todos.…
     │ What gather is for.
     │ reads  ReportParams
     │ waits  http GET figures.internal/figures?…   49.37 ms   98.37 ms  100 times
     │ writes Figures, Tally
     ● render_report                                 25.0 µs    25.0 µs  src/todos.…
     │ What render_report is for.
     │ reads  Figures, Tally

     tab other part  r measure again  esc back  ? keys  q quit
    ");
}

/// Status after some seconds in which the first worker was always busy and the second a quarter of the time.
fn health(second: u64) -> SchedulerStatus {
    let running = RunningStep {
        flow: "todos-item".into(),
        step: "render\u{1b}[31m".into(),
        request: "019aa4c2-1f3b-7000-8000-000000000001".into(),
        running_ns: 3_000_000_000,
    };
    let worker = |name: &str, is_stuck, running, busy_ms: u64| WorkerStatus {
        name: name.into(),
        is_stuck,
        busy_ns: Some(busy_ms * 1_000_000),
        running,
    };
    SchedulerStatus {
        status: "degraded".into(),
        uptime_ns: Some(second * 1_000_000_000),
        workers: vec![
            worker("worker 0", true, Some(running), second * 1_000),
            worker("worker 1", false, None, second * 250),
        ],
        queue_lengths: [Some(0), Some(second), Some(3)],
        shed: [0, 2, 0],
        reclassified: 1,
        overruns: 9,
    }
}

#[test]
fn the_scheduler_of_a_service_that_runs() {
    let mut stage = TestApp::new(200, 24, two());
    stage.press("5").send(Message::Flows(Ok(two()
        .iter()
        .map(|trace| (*trace.flow).clone())
        .take(1)
        .collect())));
    stage.send(Message::ServiceAddress("127.0.0.1:3000".into()));
    let now = stage.app.shared.now_unix_ns;
    for second in 1..5 {
        stage.send(Message::Tick(now + second * 1_000_000_000));
        assert_eq!(stage.asked.pop(), Some(Command::FetchStatus("127.0.0.1:3000".into())));
        stage.send(Message::Status("127.0.0.1:3000".into(), Ok(health(second))));
    }
    let text = stage.text();
    let left: String = text
        .lines()
        .map(|line| line.chars().take(66).collect::<String>().trim_end().to_owned() + "\n")
        .collect();
    insta::assert_snapshot!(left, @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    ─ flows ──────────────────────────────────────────────────────────
     report  GET     /reports/todos  interactive













    ─ scheduler of 127.0.0.1:3000: degraded ──────────────────────────
     load     62%  ▅▅▅
     waiting  interactive 0         default 4 ▂▄▆█    batch 3 ████
     shed     0 interactive, 2 default, 0 batch
     moved    1 to low priority; overruns 9
     worker 0  100%  ███     hangs in render\u{1b}[31m of todos-item …
     worker 1   25%  ▂▂▂     idle
     tab other part  r measure again  esc back  ? keys  q quit
    ");
    stage.press("1");
    for (columns, wanted) in [
        (80, " load 62%   waiting  interactive 0   default 4   batch 3   1 of 2 hang   shed 2"),
        (
            200,
            concat!(
                " load 62% ▅▅▅                    waiting  interactive 0                        ",
                "default 4 ▂▄▆█                   batch 3 ████                   1 of 2 hang   shed 2"
            ),
        ),
    ] {
        stage.send(Message::Input(Event::Resize(columns, 24)));
        let text = stage.text();
        let line = text.lines().nth(2).unwrap_or_default();
        assert_eq!(line.trim_end(), wanted);
    }
    stage.press("2").send(Message::Tick(now + 9_000_000_000));
    assert!(!matches!(stage.asked.last(), Some(Command::FetchStatus(_))), "nobody sees it");
    stage.press("5").send(Message::Status("127.0.0.1:3000".into(), Err("it is \u{1b}gone".into())));
    assert!(stage.text().contains("it is \\u{1b}gone"), "{}", stage.text());
}
