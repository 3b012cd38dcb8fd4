//! Scheduling: classes, batch workers, shedding, work stealing and stuck workers.

use std::sync::{Arc, Condvar, Mutex};

use zerver::effects::sleep;
use zerver::prelude::*;
use zerver::{ClassRule, OverrunLimit, SchedulingSettings, StartOptions};
use zerver_replay::ServiceMetrics;
use zerver_trace::{Capture, Event, MessagePart, Outcome, Thread};

use crate::collector::{Collector, request, start, start_on};
use crate::raw_client::{Answer, Client, PATIENCE, get};

/// Blocks steps until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    /// Number of steps that have reached the gate, and whether it is open.
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Gate {
    pub(crate) const fn new() -> Self {
        Self { state: Mutex::new((0, false)), changed: Condvar::new() }
    }

    pub(crate) fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |(_, is_open)| !*is_open).unwrap());
    }

    pub(crate) fn wait_for(&self, count: usize) {
        let state = self.state.lock().unwrap();
        let (state, late) =
            self.changed.wait_timeout_while(state, PATIENCE, |(reached, _)| *reached < count).unwrap();
        assert!(!late.timed_out(), "{} have reached the gate instead of {count}", state.0);
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

/// Opens a gate when a test ends, so that no thread stays blocked.
pub(crate) struct OpenOnDrop(pub(crate) &'static Gate);

impl Drop for OpenOnDrop {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Turns off shedding because of long waits, which would depend on the machine.
pub(crate) fn without_wait_limits(mut scheduling: SchedulingSettings) -> SchedulingSettings {
    for class in [Class::Interactive, Class::Default, Class::Batch] {
        let settings = scheduling.class_mut(class);
        (settings.target_ns, settings.interval_ns) = (3_600_000_000_000, 3_600_000_000_000);
    }
    scheduling
}

/// Returns the name of the thread that runs the step, and its scheduling policy.
#[step]
fn place() -> Response {
    Response::text(format!("{} {}", std::thread::current().name().unwrap_or_default(), policy()))
}

/// Returns the scheduling policy of the current thread. Only on Linux is it set, and can it be read here.
#[cfg(all(target_os = "linux", not(zerver_portable)))]
fn policy() -> String {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The policy is field 41. Field 2 is in parentheses and may contain spaces (proc_pid_stat(5)).
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38).unwrap().to_owned()
}

#[cfg(not(all(target_os = "linux", not(zerver_portable))))]
const fn policy() -> &'static str {
    "unknown"
}

#[step]
fn nap() -> Decision<()> {
    Need(sleep(1.millis()))
}

/// Describes the changes of the class of a request.
fn reclassifications(capture: &Capture) -> Vec<String> {
    let show = |event: &Event<_>| match event {
        Event::Reclassified { from, to, reason, .. } => Some(format!("{from} to {to}: {reason}")),
        _ => None,
    };
    capture.events.iter().filter_map(show).collect()
}

/// Returns the name of the thread that ran the last step, according to the trace.
fn recorded_thread(capture: &Capture) -> String {
    let migrated = capture.events.iter().rev().find_map(|event| match event {
        Event::Migrated { to, .. } => Some(*to),
        _ => None,
    });
    match migrated.or(capture.worker.map(Thread::Worker)).unwrap() {
        Thread::Worker(number) => format!("zerver-{number}"),
        Thread::BatchWorker(number) => format!("zerver-batch-{number}"),
    }
}

/// Returns the name of the thread that ran the last step, according to `place`.
fn thread(capture: &Capture) -> String {
    let mut name = String::new();
    capture.response.as_ref().unwrap().visit_parts(usize::MAX, &mut |part| {
        if let MessagePart::Body(bytes, _) = part {
            name = str::from_utf8(bytes).unwrap().split(' ').next().unwrap().to_owned();
        }
    });
    name
}

/// Returns the worker that owns the connection of a request.
fn connection_worker(collector: &Collector, answer: &Answer) -> u16 {
    let id: RequestId = answer.header("x-request-id").unwrap().parse().unwrap();
    collector.of(id).worker.unwrap()
}

fn app() -> App {
    App::new()
        .flow(flow!("plain", GET "/plain", steps: [place]))
        .flow(flow!("report", GET "/report", steps: [nap, place]).class(Class::Batch))
        .scheduling(without_wait_limits(SchedulingSettings::default()))
        .deadline(1.hours())
}

const HAS_POLICY: bool = cfg!(all(target_os = "linux", not(zerver_portable)));
const SCHED_OTHER: &str = if HAS_POLICY { " 0" } else { " unknown" };
const SCHED_IDLE: &str = if HAS_POLICY { " 5" } else { " unknown" };

#[test]
fn batch_requests_run_at_low_priority_with_their_effects() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    let plain = client.request(get("/plain")).body;
    assert!(
        plain.starts_with("zerver-") && !plain.contains("batch") && plain.ends_with(SCHED_OTHER),
        "{plain}"
    );
    let report = client.request(get("/report")).body;
    assert!(report.starts_with("zerver-batch-") && report.ends_with(SCHED_IDLE), "{report}");
    let captures = collector.wait_for(2);
    assert_eq!((captures[0].class, captures[1].class), (Class::Default, Class::Batch));
    assert!(captures.iter().all(|capture| reclassifications(capture).is_empty()));
    assert!(captures.iter().all(|capture| recorded_thread(capture) == thread(capture)));
    assert!(thread(&captures[1]).contains("batch"));
    assert_eq!(
        captures[0].worker, captures[1].worker,
        "both requests belong to the worker of their connection"
    );
    server.stop();
}

#[test]
fn without_batch_workers_the_workers_run_batch_requests() {
    let (server, _) = start(app().batch_workers(0));
    let mut client = Client::connect(server.addr());
    let report = client.request(get("/report")).body;
    assert!(!report.contains("batch") && report.ends_with(SCHED_OTHER), "{report}");
    server.stop();
}

#[test]
fn a_rule_reclassifies_a_request_and_the_trace_names_the_rule() {
    let app = app()
        .class_rule(ClassRule::requested_in("x-class"))
        .class_rule(ClassRule::path("/pl", Class::Batch))
        .class_rule(ClassRule::path("/plain", Class::Interactive));
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    assert!(client.request(get("/plain")).body.contains("batch"), "the first rule that matches applies");
    client.request("GET /report HTTP/1.1\r\nhost: localhost\r\nx-class: interactive\r\n\r\n");
    client.request("GET /report HTTP/1.1\r\nhost: localhost\r\nx-class: batch\r\n\r\n");
    let captures = collector.wait_for(3);
    assert_eq!(reclassifications(&captures[0]), ["default to batch: path /pl"]);
    assert_eq!(reclassifications(&captures[1]), ["batch to interactive: header x-class"]);
    assert_eq!((captures[1].class, reclassifications(&captures[2])), (Class::Interactive, vec![]));
    server.stop();
}

#[test]
fn a_request_that_finds_a_full_queue_is_shed() {
    static GATE: Gate = Gate::new();
    let _guard = OpenOnDrop(&GATE);
    #[step]
    fn hold() -> Response {
        GATE.pass();
        Response::text("released")
    }
    let mut scheduling = without_wait_limits(SchedulingSettings::default());
    scheduling.batch.queue = 1;
    let app = App::new()
        .flow(flow!("hold", GET "/hold", steps: [hold]).class(Class::Batch))
        .scheduling(scheduling)
        .deadline(1.hours())
        .batch_workers(1);
    let (server, collector) = start(app);
    let addr = server.addr();
    let [mut first, mut second, mut third] = std::array::from_fn(|_| Client::connect(addr));
    first.send(get("/hold"));
    GATE.wait_for(1);
    second.send(get("/hold"));
    let mut health = Client::connect(addr);
    while !health.request(get("/healthz")).body.contains("\"waiting\":{\"batch\":1") {}
    let answer = third.request(get("/hold"));
    assert!(answer.status == 429 && answer.has_retry_after(), "{answer:?}");
    let refused = collector.one();
    let Outcome::Rejected { reason } = &refused.outcome else { panic!("{:?}", refused.outcome) };
    assert_eq!((refused.status, reason.as_str()), (429, "limited capacity: batch: queue full"));
    let status = health.request(get("/healthz")).body;
    assert!(status.contains(r#""shed":{"batch":1,"default":0,"interactive":0}"#), "{status}");
    GATE.open();
    assert_eq!((first.answer().unwrap().status, second.answer().unwrap().status), (200, 200));
    server.stop();
    assert_eq!(collector.wait_for(3).len(), 3, "health checks are not recorded");
}

#[test]
fn queued_batch_requests_end_while_the_only_batch_worker_hangs() {
    static GATE: Gate = Gate::new();
    let _guard = OpenOnDrop(&GATE);
    #[step]
    fn hold() -> Response {
        GATE.pass();
        Response::text("released")
    }
    let mut scheduling = without_wait_limits(SchedulingSettings::default());
    (scheduling.batch.target_ns, scheduling.batch.interval_ns) = (10_000_000, 40_000_000);
    // The request that blocks the batch worker is reclassified right after its first step, so that it cannot be shed.
    (scheduling.overruns, scheduling.default.quantum_ns) = (OverrunLimit { times: 1, of: 1 }, 1);
    let app = App::new()
        .flow(flow!("holds", GET "/holds", steps: [nap, hold]))
        .flow(flow!("late", GET "/late", steps: [hold]).class(Class::Batch))
        .flow(flow!("due", GET "/due", steps: [hold]).class(Class::Batch).deadline(5.millis()))
        .scheduling(scheduling)
        .deadline(1.hours())
        .batch_workers(1);
    let (server, collector) = start(app);
    let mut holds = Client::connect(server.addr());
    holds.send(get("/holds"));
    GATE.wait_for(1);
    // The only batch worker hangs. Both requests are answered anyway.
    let mut other = Client::connect(server.addr());
    assert_eq!(other.request(get("/due")).status, 504);
    let answer = other.request(get("/late"));
    assert!(answer.status == 429 && answer.has_retry_after(), "{answer:?}");
    let [due, late] = &collector.wait_for(2)[..] else { panic!("not two captures") };
    assert_eq!((due.status, &due.outcome), (504, &Outcome::TimedOut { step: 0 }));
    let Outcome::Rejected { reason } = &late.outcome else { panic!("{:?}", late.outcome) };
    assert_eq!(reason, "limited capacity: batch: waited too long");
    GATE.open();
    assert_eq!(holds.answer().unwrap().status, 200);
    server.stop();
}

#[test]
fn a_client_that_leaves_ends_its_batch_request() {
    static GATE: Gate = Gate::new();
    let _guard = OpenOnDrop(&GATE);
    #[step]
    fn hold() -> Response {
        GATE.pass();
        Response::text("released")
    }
    #[step]
    fn wait() -> Decision<()> {
        Need(sleep(1.hours()))
    }
    let app = App::new()
        .flow(flow!("hold", GET "/hold", steps: [hold]).class(Class::Batch))
        .flow(flow!("wait", GET "/wait", steps: [wait, hold]).class(Class::Batch))
        .scheduling(without_wait_limits(SchedulingSettings::default()))
        .deadline(1.hours())
        .batch_workers(1);
    // With one worker, the requests are read in this order.
    let (server, collector) = start_on(1, app);
    // The request of this client waits for an effect.
    let mut waits = Client::connect(server.addr());
    waits.send(get("/wait"));
    let mut holds = Client::connect(server.addr());
    holds.send(get("/hold"));
    // Once this step runs, the other request has started its effect.
    GATE.wait_for(1);
    drop(waits);
    GATE.open();
    assert_eq!(holds.answer().unwrap().status, 200);
    let captures = collector.wait_for(2);
    let gone = captures.iter().find(|capture| capture.flow.name == "wait").unwrap();
    assert_eq!(gone.outcome, Outcome::ClientLeft { step: 0 });
    server.stop();
}

#[test]
fn a_flow_whose_step_often_overruns_is_reclassified_as_batch() {
    let mut scheduling = without_wait_limits(SchedulingSettings {
        overruns: OverrunLimit { times: 3, of: 4 },
        ..SchedulingSettings::default()
    });
    // Every step exceeds this quantum.
    scheduling.default.quantum_ns = 1;
    let app = App::new().flow(flow!("slow", GET "/slow", steps: [nap, place])).scheduling(scheduling);
    let (server, collector) = start_on(1, app);
    let mut client = Client::connect(server.addr());
    let answers: Vec<_> = (0..4).map(|_| client.request(get("/slow")).body).collect();
    let captures = collector.wait_for(4);
    let moved: Vec<_> = captures.iter().map(|capture| reclassifications(capture)).collect();
    let reason = "default to batch: nap often exceeds its quantum";
    // In the third request, `nap` overruns for the third time.
    assert_eq!(moved, [vec![], vec![], vec![reason.to_owned()], vec![reason.to_owned()]]);
    let is_low: Vec<_> = answers.iter().map(|place| place.contains("batch")).collect();
    assert_eq!(is_low, [false, false, true, true]);
    assert!(captures.iter().all(|capture| capture.class == Class::Default));
    server.stop();
}

#[test]
fn a_step_that_blocks_overruns_even_without_cpu_time() {
    /// Never notified, so that each wait lasts until its timeout.
    static NEVER: Mutex<()> = Mutex::new(());
    static CHANGED: Condvar = Condvar::new();
    #[step]
    fn block() -> Response {
        drop(CHANGED.wait_timeout_while(NEVER.lock().unwrap(), 2.millis(), |()| true).unwrap());
        Response::text("done")
    }
    let mut scheduling = without_wait_limits(SchedulingSettings {
        overruns: OverrunLimit { times: 3, of: 4 },
        ..SchedulingSettings::default()
    });
    scheduling.default.quantum_ns = 1_000_000;
    let app = App::new().flow(flow!("blocks", GET "/blocks", steps: [block])).scheduling(scheduling);
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    for _ in 0..4 {
        assert_eq!(client.request(get("/blocks")).status, 200);
    }
    let captures = collector.wait_for(4);
    assert_eq!(reclassifications(&captures[3]), ["default to batch: block often exceeds its quantum"]);
    for capture in &captures[..3] {
        let overran =
            |event: &_| matches!(event, Event::QuantumExceeded { step: 0, quantum_ns: 1_000_000, .. });
        assert!(capture.events.iter().any(overran), "each overrun is recorded");
    }
    server.stop();
}

/// Computes for 2 ms, and yields once in between.
#[step]
fn busy(progress: Option<u32>) -> Decision<(), u32> {
    let started = std::time::Instant::now();
    while started.elapsed() < 1.millis() {}
    if progress.is_some() { Continue(()) } else { Yield(1) }
}

#[test]
fn an_idle_worker_steals_requests_of_a_busy_worker() {
    const ROUNDS: usize = 500;
    let app = app().flow(flow!("busy", GET "/busy", steps: [busy, place])).workers(2);
    let (server, collector) = start(app);
    let mut clients: Vec<Client> = (0..16).map(|_| Client::connect(server.addr())).collect();
    // The remaining clients belong to one worker, and the other worker is idle.
    clients.retain_mut(|client| connection_worker(&collector, &client.request(get("/plain"))) == 0);
    assert!(clients.len() > 1);
    let (mut requests, mut is_stolen) = (16 + clients.len(), false);
    clients.iter_mut().for_each(|client| client.send(get("/busy")));
    // Each answer is followed by another request, so that the worker stays busy.
    for round in 0..ROUNDS {
        let is_last = is_stolen || round + 1 == ROUNDS;
        for client in &mut clients {
            let answer = client.answer().unwrap();
            assert_eq!(answer.status, 200);
            is_stolen |= answer.body.starts_with("zerver-1 ");
            if !is_last {
                client.send(get("/busy"));
                requests += 1;
            }
        }
        if is_last {
            break;
        }
    }
    assert!(is_stolen, "no request was stolen in {ROUNDS} rounds");
    let status = clients[0].request(get("/healthz")).body;
    let stolen: u64 = metrics(&mut clients[0]).workers.iter().map(|worker| worker.steals).sum();
    assert!(stolen > 0 && status.contains(&format!("\"stolen\":{stolen}")), "{status}");
    server.stop();
    let captures = collector.wait_for(requests);
    assert_eq!(captures.len(), requests, "each request ends once");
    assert!(captures.iter().all(|capture| capture.status == 200));
    // Each trace names the thread that ran the request and the worker of its connection.
    let was_stolen =
        |capture: &&Arc<Capture>| thread(capture) != format!("zerver-{}", capture.worker.unwrap());
    assert_eq!(captures.iter().filter(was_stolen).count() as u64, stolen);
    for capture in &captures {
        assert_eq!(recorded_thread(capture), thread(capture));
    }
}

fn metrics(client: &mut Client) -> ServiceMetrics {
    let answer =
        client.request("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n");
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn new_connections_go_to_the_worker_with_the_fewest() {
    let (server, collector) = start(app().workers(2));
    let connect = || {
        let mut client = Client::connect(server.addr());
        let is_first = connection_worker(&collector, &client.request(get("/plain"))) == 0;
        (client, is_first)
    };
    let clients: Vec<_> = (0..8).map(|_| connect()).collect();
    let (first, mut second): (Vec<_>, Vec<_>) = clients.into_iter().partition(|(_, is_first)| *is_first);
    assert_eq!((first.len(), second.len()), (4, 4));
    drop(first);
    while metrics(&mut second[0].0).workers[0].connections > 0 {}
    let new: Vec<_> = (0..4).map(|_| connect()).collect();
    assert!(new.iter().all(|(_, is_first)| *is_first), "a new connection went to the other worker");
    let open: Vec<_> = metrics(&mut second[0].0).workers.iter().map(|worker| worker.connections).collect();
    assert_eq!(open[..2], [4, 4]);
    server.stop();
}

#[test]
fn new_connections_avoid_a_stuck_worker() {
    static GATE: Gate = Gate::new();
    let _guard = OpenOnDrop(&GATE);
    #[step]
    fn hang() -> Response {
        GATE.pass();
        Response::text("at last")
    }
    let app = app().flow(flow!("hangs", GET "/hangs", steps: [hang])).stuck_after(1.millis());
    let (server, _) = start(app);
    let addr = server.addr();
    // Connections are distributed in turn, so these belong to different workers.
    let [mut hangs, mut other] = std::array::from_fn(|_| Client::connect(addr));
    assert_eq!(other.request(get("/healthz")).status, 200);
    hangs.send(get("/hangs"));
    GATE.wait_for(1);
    let status = loop {
        let answer = other.request(get("/healthz"));
        assert_eq!(answer.status, 200);
        if answer.body.contains("degraded") {
            break answer.body;
        }
    };
    assert!(status.contains(r#""flow":"hangs""#) && status.contains(r#""step":"hang""#), "{status}");
    for _ in 0..4 {
        assert_eq!(
            Client::connect(addr).request(get("/report")).status,
            200,
            "new connections go to other workers"
        );
    }
    GATE.open();
    let answer = hangs.answer().unwrap();
    let id = answer.header("x-request-id").unwrap();
    assert!(answer.body == "at last" && status.contains(&format!(r#""request":"{id}""#)), "{id}: {status}");
    while other.request(get("/healthz")).body.contains("degraded") {}
    assert_eq!(hangs.request(get("/report")).status, 200);
    server.stop();
}

#[test]
fn batch_requests_run_while_the_only_worker_is_stuck() {
    static GATE: Gate = Gate::new();
    let _guard = OpenOnDrop(&GATE);
    #[step]
    fn hang() -> Response {
        GATE.pass();
        Response::text("at last")
    }
    let app = app().flow(flow!("hangs", GET "/hangs", steps: [hang])).workers(1).stuck_after(1.millis());
    let options = StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..StartOptions::default() };
    let server = app.start(options).unwrap();
    let addr = server.addr();
    let mut hangs = Client::connect(addr);
    hangs.send(get("/hangs"));
    GATE.wait_for(1);
    // New connections go to the stuck worker until its replacement has started, so the request is repeated.
    let request = |path| {
        // The time limit grows, because a slow machine might never answer within a fixed one.
        let answer = (1..60).find_map(|tenths| {
            let mut client = Client::connect(addr);
            client.send(get(path));
            client.is_answered_within(tenths * 100.millis()).then(|| client.answer().unwrap())
        });
        answer.expect("no request was answered")
    };
    let status = request("/healthz").body;
    assert!(status.contains("degraded"), "{status}");
    assert!(request("/report").body.starts_with("zerver-batch-"));
    GATE.open();
    assert_eq!(hangs.answer().unwrap().body, "at last");
    server.stop();
}

#[test]
fn the_health_endpoint_can_be_moved_or_disabled() {
    let status = |app: App, path: &str| {
        let (server, _) = start(app);
        Client::connect(server.addr()).request(get(path)).status
    };
    assert_eq!(status(app(), "/healthz"), 200);
    assert_eq!(status(app().health(Some("/well")), "/well"), 200);
    assert_eq!(status(app().health(Some("/well")), "/healthz"), 404);
    assert_eq!(status(app().health(None), "/healthz"), 404);
    let own = app().flow(flow!("own", GET "/healthz", steps: [place]));
    let (server, collector) = start(own);
    assert_eq!(Client::connect(server.addr()).request(get("/healthz")).status, 200);
    assert_eq!(collector.one().flow.name, "own");
}

#[test]
fn status_polls_of_zerver_never_count_as_traffic() {
    const POLL: &str = "/.zerver/status";
    // Polls are answered even if a flow takes all paths and the host is not allowed.
    let everything = || app().flow(flow!("any", GET "/{*path}", steps: [place]));
    let (server, collector) = start(everything().health(Some("/well")).allow_host("api.example.com"));
    let mut client = Client::connect(server.addr());
    let poll = client.request(get(POLL));
    assert!(poll.status == 200 && poll.body.contains("workers"), "{poll:?}");
    // Other requests with this path are traffic.
    let other = format!("GET {POLL} HTTP/1.1\r\nhost: api.example.com\r\n\r\n");
    assert_ne!(client.request(other).body, poll.body);
    assert_eq!(request(&collector.one()).0, POLL);
    let (server, collector) = start(app().health(None));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get(POLL)).status, 404);
    assert_eq!(client.request(get("/nowhere")).status, 404);
    assert_eq!(request(&collector.one()).0, "/nowhere");
}
