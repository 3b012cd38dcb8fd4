//! The flows screen.

use zerver_analysis::{Baseline, Timeline};
use zerver_trace::{CatalogFlow, FlowDeclaration, SloInfo};

use super::diff::two;
use super::*;
use crate::services::FlowMeasurement;
use crate::state::{RunningStep, SchedulerStatus, WorkerStatus};

#[test]
fn a_flow_shows_its_typical_times() {
    let mut ui = TestApp::new(80, 24, Vec::new());
    ui.press("5");
    assert_eq!(ui.commands.last(), Some(&Command::ListFlows));
    let flow = (*sample::report(0).flow).clone();
    ui.send(Message::Flows(Ok(vec![flow.into()])));
    assert_eq!(ui.commands.last(), Some(&Command::MeasureFlow("report".into())));
    let timelines: Vec<Timeline> = (0..100).map(|n| Timeline::of(&sample::report(n))).collect();
    let measured = FlowMeasurement { times: Baseline::of(&timelines), unreadable: 0 };
    insta::assert_snapshot!(ui.send(Message::Measured("report".into(), Ok(Arc::new(measured)))).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    ─ flows ────────────────────────────────────────────────────────────────────────
     flow          requests        p50        p99    5xx  share    4xx        p95
     report               -
    ─ scheduler ────────────────────────────────────────────────────────────────────
     `zerver tui --addr HOST:PORT` connects to a running service
    ─ report  GET /reports/todos  interactive: newest 100 requests ─────────────────
     CPU time of the steps, and waits                    p50        p99
     total                                           49.4 ms    98.4 ms
     receiving                                       10.0 µs    10.0 µs
     unexplained                                     5.00 µs    5.00 µs
     ● parse_report                                  8.00 µs    8.00 µs  src/todos.…
     │ What parse_report is for.
     │ queue                                         2.00 µs    2.00 µs
     │ writes ReportParams
     ● gather                                        10.0 µs    10.0 µs  src/todos.…
     │ What gather is for.
     │ reads  ReportParams
     │ waits  http GET figures.internal/figures?…    49.4 ms    98.4 ms  100 times
     │ writes Figures, Tally
     ● render_report                                 25.0 µs    25.0 µs  src/todos.…
     │ What render_report is for.
     │ reads  Figures, Tally
     tab pane  enter requests  w window  s sort  r refresh  esc back  ? keys  q quit
    ");
}

/// Requests of three flows within the last 25 minutes.
fn traffic() -> Vec<Trace> {
    let now = sample::slow().started_unix_ns + 90_000_000_000;
    let request = |n: u64, flow: &str, minutes_ago: u64, ms: u64, status: u16| {
        let mut trace = sample::report(0);
        trace.id =
            RequestId::from_u128(u128::from(now / 1_000_000 - minutes_ago * 60_000) << 80 | u128::from(n));
        Arc::make_mut(&mut trace.flow).name = flow.into();
        trace.started_unix_ns = now - minutes_ago * 60_000_000_000;
        trace.duration_ns = ms * 1_000_000;
        trace.status = status;
        if status >= 500 {
            trace.outcome = Outcome::Panicked { step: 0, message: String::new() };
        }
        trace
    };
    let mut traces = Vec::new();
    for n in 0..40 {
        traces.push(request(n * 3, "report", 24 - n / 2, if n < 28 { 20 } else { 80 }, 200));
        traces.push(request(n * 3 + 1, "todos-list", 24 - n / 2, 3, if n == 39 { 500 } else { 200 }));
    }
    traces.push(request(500, "nightly", 22, 900, 404));
    traces.sort_by_key(|trace| trace.id);
    traces
}

#[test]
fn flows_are_listed_with_their_numbers_and_open_their_requests() {
    let mut ui = TestApp::new(80, 14, traffic());
    ui.press("5").send(Message::Flows(Ok(vec![(*sample::report(0).flow).clone().into()])));
    insta::assert_snapshot!(ui.text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    ─ flows: 81 requests in 19m 00s ────────────────────────────────────────────────
     flow          requests        p50        p99    5xx  share    4xx        p95
     report              40    20.0 ms    80.0 ms      0   60 %      0    80.0 ms
     nightly              1     900 ms     900 ms      0   35 %      1     900 ms
     todos-list          40    3.00 ms    3.00 ms      1    5 %      0    3.00 ms
    ─ scheduler ────────────────────────────────────────────────────────────────────
     `zerver tui --addr HOST:PORT` connects to a running service
    ─ report  GET /reports/todos  interactive: measuring ───────────────────────────
     ● parse_report  src/todos.rs:10                                               ┃
     │ What parse_report is for.
     │ writes ReportParams
     ● gather  src/todos.rs:20
     tab pane  enter requests  w window  s sort  r refresh  esc back  ? keys  q quit
    ");
    // The last ten minutes, against the ten before.
    insta::assert_snapshot!(ui.press("w").text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    ─ flows: last 10 minutes, 24 requests; change against the 10 minutes before ────
     flow          requests        p50        p99    5xx  share   change    4xx
     report              12    80.0 ms    80.0 ms      0   96 %   +300 %      0
     todos-list          12    3.00 ms    3.00 ms      1    4 %     +0 %      0
    ─ scheduler ────────────────────────────────────────────────────────────────────
     `zerver tui --addr HOST:PORT` connects to a running service
    ─ report  GET /reports/todos  interactive: measuring ───────────────────────────
     ● parse_report  src/todos.rs:10                                               ┃
     │ What parse_report is for.                                                   ┃
     │ writes ReportParams
     ● gather  src/todos.rs:20
     │ What gather is for.
     tab pane  enter requests  w window  s sort  r refresh  esc back  ? keys  q quit
    ");
    ui.press("s");
    assert!(ui.text().lines().nth(3).unwrap().contains("report"), "by change: {}", ui.text());
    ui.press("<enter>");
    let text = ui.text();
    assert!(text.contains("flow=\"report\" since:10m") && text.contains("12 of 81"), "{text}");
    ui.press("5www");
    assert!(ui.text().contains("flows: 81 requests in 19m 00s"), "{}", ui.text());
}

#[test]
fn many_requests_are_counted_in_turns_and_new_ones_at_once() {
    let mut ui = TestApp::new(120, 24, Vec::new());
    let one = sample::report(0).summary();
    let requests = vec![one.clone(); 200_000];
    ui.send(Message::NewRequests(requests));
    ui.press("5").send(Message::Flows(Ok(Vec::new())));
    assert!(ui.text().contains("flows: 200000 requests"), "{}", ui.text());
    ui.send(Message::NewRequests(vec![one]));
    assert!(ui.text().contains("flows: 200001 requests"), "{}", ui.text());
}

#[test]
fn the_recovery_step_of_a_flow_is_marked() {
    let mut ui = TestApp::new(80, 24, Vec::new());
    ui.press("5");
    let mut flow = (*sample::report(0).flow).clone();
    flow.slots.push(zerver_trace::SlotInfo {
        name: "Failure".into(),
        path: zerver_trace::FlowInfo::FAILURE_PATH.into(),
        ..zerver_trace::SlotInfo::default()
    });
    let slot = flow.slots.len() as u16 - 1;
    flow.steps[2].reads = vec![zerver_trace::ReadInfo { slot, is_optional: false }];
    let text = ui.send(Message::Flows(Ok(vec![flow.into()]))).text();
    let graph: Vec<&str> =
        text.lines().skip_while(|line| !line.contains("on failure")).map(str::trim).collect();
    assert_eq!(graph[..2].join("\n").split("  ").next().unwrap(), "on failure\n● render_report", "{text}");
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
        breakers: Vec::new(),
    }
}

#[test]
fn the_scheduler_of_a_running_service_is_shown() {
    let mut ui = TestApp::new(200, 24, two());
    ui.press("5").send(Message::Flows(Ok(two()
        .iter()
        .map(|trace| (*trace.flow).clone().into())
        .take(1)
        .collect())));
    ui.send(Message::ServiceAddress("127.0.0.1:3000".into()));
    let now = ui.app.shared.now_unix_ns;
    for second in 1..5 {
        ui.send(Message::Tick(now + second * 1_000_000_000));
        assert_eq!(ui.commands.pop(), Some(Command::FetchStatus("127.0.0.1:3000".into())));
        ui.send(Message::Status("127.0.0.1:3000".into(), Ok(health(second))));
    }
    let text = ui.text();
    let left: String = text
        .lines()
        .map(|line| line.chars().take(66).collect::<String>().trim_end().to_owned() + "\n")
        .collect();
    insta::assert_snapshot!(left, @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    ─ flows: 2 requests ──────────────────────────────────────────────
     flow          requests        p50        p99    5xx  share    4xx
     report               2     430 µs     250 ms      0  100 %      0












    ─ scheduler of 127.0.0.1:3000: degraded ──────────────────────────
     load     62%  ▅▅▅
     queue    interactive 0         default 4 ▂▄▆█    batch 3 ████
     shed     0 interactive, 2 default, 0 batch
     quantum  exceeded 9 times, 1 reclassified
     worker 0  100%  ███     stuck in render\u{1b}[31m of todos-item
     worker 1   25%  ▂▂▂     idle
     tab pane  enter requests  w window  s sort  r refresh  esc back
    ");
    ui.press("1");
    for (columns, wanted) in [
        (80, " load 62%   queue  interactive 0   default 4   batch 3   1 of 2 stuck   shed 2"),
        (
            200,
            concat!(
                " load 62% ▅▅▅                    queue  interactive 0                        ",
                "default 4 ▂▄▆█                   batch 3 ████                   1 of 2 stuck   shed 2"
            ),
        ),
    ] {
        ui.send(Message::Input(Event::Resize(columns, 24)));
        let text = ui.text();
        let line = text.lines().nth(2).unwrap_or_default();
        assert_eq!(line.trim_end(), wanted);
    }
    ui.press("2").send(Message::Tick(now + 9_000_000_000));
    assert!(!matches!(ui.commands.last(), Some(Command::FetchStatus(_))), "not visible");
    ui.press("5").send(Message::Status("127.0.0.1:3000".into(), Err("it is \u{1b}gone".into())));
    assert!(ui.text().contains("it is \\u{1b}gone"), "{}", ui.text());
}

#[test]
fn an_idle_scheduler_takes_one_line() {
    let mut ui = TestApp::new(200, 24, two());
    ui.press("5").send(Message::ServiceAddress("127.0.0.1:3000".into()));
    let now = ui.app.shared.now_unix_ns;
    let panel = |ui: &TestApp| -> Vec<String> {
        let left = |line: &str| line.chars().take(66).collect::<String>().trim_end().to_owned();
        let lines: Vec<_> = ui.text().lines().map(left).collect();
        let title = lines.iter().position(|line| line.starts_with("─ scheduler")).unwrap();
        lines[title + 1..lines.len() - 1].to_vec()
    };
    let mut second = 0;
    let mut status = |ui: &mut TestApp, change: fn(&mut SchedulerStatus)| {
        second += 1;
        let mut status = health(second);
        (status.queue_lengths, status.shed) = ([Some(0); 3], [0; 3]);
        (status.reclassified, status.overruns) = (0, 0);
        for worker in &mut status.workers {
            (worker.busy_ns, worker.running, worker.is_stuck) = (Some(0), None, false);
        }
        change(&mut status);
        ui.send(Message::Tick(now + second * 1_000_000_000));
        ui.send(Message::Status("127.0.0.1:3000".into(), Ok(status)));
    };
    status(&mut ui, |_| {});
    assert_eq!(panel(&ui), [" load     -  all 2 workers are idle"]);
    status(&mut ui, |_| {});
    assert_eq!(panel(&ui), [" load     0%  all 2 workers are idle"]);
    // What was shed remains visible.
    status(&mut ui, |status| status.shed[2] = 7);
    assert_eq!(panel(&ui)[1..], [" shed     0 interactive, 0 default, 7 batch"]);
    status(&mut ui, |status| status.queue_lengths[0] = Some(1));
    assert_eq!(panel(&ui).len(), 6);
    status(&mut ui, |status| status.workers[0].running = health(1).workers[0].running.clone());
    assert_eq!(panel(&ui).len(), 6);
    // A worker that is idle now but was busy a moment ago keeps the height.
    status(&mut ui, |status| status.workers[0].busy_ns = Some(500_000_000));
    status(&mut ui, |status| status.workers[0].busy_ns = Some(500_000_000));
    assert_eq!(panel(&ui).len(), 6);
}

#[test]
fn the_owner_and_the_objectives_of_a_flow_precede_its_steps() {
    let mut ui = TestApp::new(120, 24, traffic());
    let slo = SloInfo { p95_ns: Some(50_000_000), p99_ns: None, errors_ppm: Some(1_000) };
    let declaration = FlowDeclaration {
        owner: Some("planning\u{1b}".to_owned()),
        slo: Some(slo),
        ..FlowDeclaration::default()
    };
    let flow = CatalogFlow::new((*sample::report(0).flow).clone(), Some(declaration));
    let text = ui.press("5").send(Message::Flows(Ok(vec![flow]))).text();
    assert!(text.contains("owner planning\\u{1b}  p95 50.0 ms, errors 0.1%"), "{text}");
}
