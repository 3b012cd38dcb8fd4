//! Where and when requests run: classes, threads of low priority, what is sent away, and workers that hang.

use std::sync::{Arc, Condvar, Mutex};

use zerver::effects::sleep;
use zerver::prelude::*;
use zerver::{ClassRule, OverrunLimit, SchedulingSettings, StartOptions};
use zerver_replay::ServiceMetrics;
use zerver_trace::{Capture, Event, MessagePart, Outcome, Thread};

use crate::collector::{Collector, request, start, start_on};
use crate::raw_client::{Answer, Client, PATIENCE, get};

/// Holds steps until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    /// How many have come, and whether it is open.
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
            self.changed.wait_timeout_while(state, PATIENCE, |(come, _)| *come < count).unwrap();
        assert!(!late.timed_out(), "{} have come instead of {count}", state.0);
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

/// Opens it however a test ends, so that no thread is left in it.
pub(crate) struct Opens(pub(crate) &'static Gate);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Nobody is sent away because it has waited for long: that would depend on the machine.
pub(crate) fn patient(mut scheduling: SchedulingSettings) -> SchedulingSettings {
    for class in [Class::Interactive, Class::Default, Class::Batch] {
        let set = scheduling.class_mut(class);
        (set.target_ns, set.interval_ns) = (3_600_000_000_000, 3_600_000_000_000);
    }
    scheduling
}

/// On which thread a step ran, and under which policy of the system.
#[step]
fn place() -> Response {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The 41st field; the second is in brackets and may have spaces (proc_pid_stat(5)).
    let policy = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38).unwrap();
    Response::text(format!("{} {policy}", std::thread::current().name().unwrap_or_default()))
}

#[step]
fn nap() -> Decision<()> {
    Need(sleep(1.millis()))
}

fn moves(capture: &Capture) -> Vec<String> {
    let show = |event: &Event<_>| match event {
        Event::Reclassified { from, to, reason, .. } => Some(format!("{from} to {to}: {reason}")),
        _ => None,
    };
    capture.events.iter().filter_map(show).collect()
}

/// The name of the thread on which it ended, by what is recorded.
fn recorded_thread(capture: &Capture) -> String {
    let carried = capture.events.iter().rev().find_map(|event| match event {
        Event::Migrated { to, .. } => Some(*to),
        _ => None,
    });
    match carried.or(capture.worker.map(Thread::Worker)).unwrap() {
        Thread::Worker(number) => format!("zerver-{number}"),
        Thread::BatchWorker(number) => format!("zerver-batch-{number}"),
    }
}

/// The same by what `place` says.
fn thread(capture: &Capture) -> String {
    let mut name = String::new();
    capture.response.as_ref().unwrap().visit_parts(usize::MAX, &mut |part| {
        if let MessagePart::Body(bytes, _) = part {
            name = str::from_utf8(bytes).unwrap().split(' ').next().unwrap().to_owned();
        }
    });
    name
}

/// Whose connection a request came by, whichever thread it ran on.
fn home(collector: &Collector, answer: &Answer) -> u16 {
    let id: RequestId = answer.header("x-request-id").unwrap().parse().unwrap();
    collector.of(id).worker.unwrap()
}

fn app() -> App {
    App::new()
        .flow(flow!("plain", GET "/plain", steps: [place]))
        .flow(flow!("report", GET "/report", steps: [nap, place]).class(Class::Batch))
        .scheduling(patient(SchedulingSettings::default()))
        .deadline(1.hours())
}

const SCHED_OTHER: &str = " 0";
const SCHED_IDLE: &str = " 5";

#[test]
fn batch_runs_at_low_priority_with_its_effects() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    let plain = client.ask(get("/plain")).body;
    assert!(
        plain.starts_with("zerver-") && !plain.contains("batch") && plain.ends_with(SCHED_OTHER),
        "{plain}"
    );
    let report = client.ask(get("/report")).body;
    assert!(report.starts_with("zerver-batch-") && report.ends_with(SCHED_IDLE), "{report}");
    let captures = collector.wait_for(2);
    assert_eq!((captures[0].class, captures[1].class), (Class::Default, Class::Batch));
    assert!(captures.iter().all(|capture| moves(capture).is_empty()));
    assert!(captures.iter().all(|capture| recorded_thread(capture) == thread(capture)));
    assert!(thread(&captures[1]).contains("batch"));
    assert_eq!(captures[0].worker, captures[1].worker, "the worker is that of their connection");
    server.stop();
}

#[test]
fn without_threads_of_low_priority_workers_run_batch() {
    let (server, _) = start(app().batch_workers(0));
    let mut client = Client::connect(server.addr());
    let report = client.ask(get("/report")).body;
    assert!(!report.contains("batch") && report.ends_with(SCHED_OTHER), "{report}");
    server.stop();
}

#[test]
fn a_rule_gives_another_class_and_the_trace_says_which() {
    let app = app()
        .class_rule(ClassRule::requested_in("x-class"))
        .class_rule(ClassRule::path("/pl", Class::Batch))
        .class_rule(ClassRule::path("/plain", Class::Interactive));
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    assert!(client.ask(get("/plain")).body.contains("batch"), "the first that matches");
    client.ask("GET /report HTTP/1.1\r\nhost: localhost\r\nx-class: interactive\r\n\r\n");
    client.ask("GET /report HTTP/1.1\r\nhost: localhost\r\nx-class: batch\r\n\r\n");
    let captures = collector.wait_for(3);
    assert_eq!(moves(&captures[0]), ["default to batch: path /pl"]);
    assert_eq!(moves(&captures[1]), ["batch to interactive: header x-class"]);
    assert_eq!((captures[1].class, moves(&captures[2])), (Class::Interactive, vec![]));
    server.stop();
}

#[test]
fn what_cannot_wait_is_sent_away() {
    static GATE: Gate = Gate::new();
    let _opens = Opens(&GATE);
    #[step]
    fn hold() -> Response {
        GATE.pass();
        Response::text("held")
    }
    let mut scheduling = patient(SchedulingSettings::default());
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
    while !health.ask(get("/healthz")).body.contains("\"waiting\":{\"batch\":1") {}
    let answer = third.ask(get("/hold"));
    assert!(answer.status == 429 && answer.says_when_to_come_again(), "{answer:?}");
    let refused = collector.one();
    let Outcome::Rejected { reason } = &refused.outcome else { panic!("{:?}", refused.outcome) };
    assert_eq!((refused.status, reason.as_str()), (429, "limited capacity: batch: queue full"));
    let told = health.ask(get("/healthz")).body;
    assert!(told.contains(r#""shed":{"batch":1,"default":0,"interactive":0}"#), "{told}");
    GATE.open();
    assert_eq!((first.answer().unwrap().status, second.answer().unwrap().status), (200, 200));
    server.stop();
    assert_eq!(collector.wait_for(3).len(), 3, "who asks how it is leaves no trace");
}

#[test]
fn what_waits_for_low_priority_ends_although_no_thread_comes() {
    static GATE: Gate = Gate::new();
    let _opens = Opens(&GATE);
    #[step]
    fn hold() -> Response {
        GATE.pass();
        Response::text("held")
    }
    let mut scheduling = patient(SchedulingSettings::default());
    (scheduling.batch.target_ns, scheduling.batch.interval_ns) = (10_000_000, 40_000_000);
    // At once after its first step the one that is to hold the thread moves there, where it may wait for as long as it takes.
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
    // The only thread hangs. Both are answered all the same.
    let mut other = Client::connect(server.addr());
    assert_eq!(other.ask(get("/due")).status, 504);
    let answer = other.ask(get("/late"));
    assert!(answer.status == 429 && answer.says_when_to_come_again(), "{answer:?}");
    let [due, late] = &collector.wait_for(2)[..] else { panic!("two have ended") };
    assert_eq!((due.status, &due.outcome), (504, &Outcome::TimedOut { step: 0 }));
    let Outcome::Rejected { reason } = &late.outcome else { panic!("{:?}", late.outcome) };
    assert_eq!(reason, "limited capacity: batch: waited too long");
    GATE.open();
    assert_eq!(holds.answer().unwrap().status, 200);
    server.stop();
}

#[test]
fn a_client_that_goes_away_takes_its_batch_request_along() {
    static GATE: Gate = Gate::new();
    let _opens = Opens(&GATE);
    #[step]
    fn hold() -> Response {
        GATE.pass();
        Response::text("held")
    }
    #[step]
    fn wait() -> Decision<()> {
        Need(sleep(1.hours()))
    }
    let app = App::new()
        .flow(flow!("hold", GET "/hold", steps: [hold]).class(Class::Batch))
        .flow(flow!("wait", GET "/wait", steps: [wait, hold]).class(Class::Batch))
        .scheduling(patient(SchedulingSettings::default()))
        .deadline(1.hours())
        .batch_workers(1);
    // On one worker, so that they come in this order.
    let (server, collector) = start_on(1, app);
    // It waits for an effect.
    let mut waits = Client::connect(server.addr());
    waits.send(get("/wait"));
    let mut holds = Client::connect(server.addr());
    holds.send(get("/hold"));
    // When that one has its turn the other has asked for its effect.
    GATE.wait_for(1);
    drop(waits);
    GATE.open();
    assert_eq!(holds.answer().unwrap().status, 200);
    let captures = collector.wait_for(2);
    let gone = captures.iter().find(|capture| capture.flow.name == "wait").unwrap();
    assert_eq!(gone.outcome, Outcome::Gone { step: 0 });
    server.stop();
}

#[test]
fn a_flow_whose_step_overruns_often_moves_to_low_priority() {
    let mut scheduling = patient(SchedulingSettings {
        overruns: OverrunLimit { times: 3, of: 4 },
        ..SchedulingSettings::default()
    });
    // So short that every step overruns it.
    scheduling.default.quantum_ns = 1;
    let app = App::new().flow(flow!("slow", GET "/slow", steps: [nap, place])).scheduling(scheduling);
    let (server, collector) = start_on(1, app);
    let mut client = Client::connect(server.addr());
    let answers: Vec<_> = (0..4).map(|_| client.ask(get("/slow")).body).collect();
    let captures = collector.wait_for(4);
    let moved: Vec<_> = captures.iter().map(|capture| moves(capture)).collect();
    let reason = "default to batch: nap often exceeds its quantum";
    // The first step of the third is the third overrun of that step.
    assert_eq!(moved, [vec![], vec![], vec![reason.to_owned()], vec![reason.to_owned()]]);
    let is_low: Vec<_> = answers.iter().map(|place| place.contains("batch")).collect();
    assert_eq!(is_low, [false, false, true, true]);
    assert!(captures.iter().all(|capture| capture.class == Class::Default));
    server.stop();
}

#[test]
fn a_step_that_blocks_overruns_although_it_uses_no_processor() {
    /// Never opened: each passing takes as long as it waits at most.
    static NEVER: Mutex<()> = Mutex::new(());
    static CHANGED: Condvar = Condvar::new();
    #[step]
    fn block() -> Response {
        drop(CHANGED.wait_timeout_while(NEVER.lock().unwrap(), 2.millis(), |()| true).unwrap());
        Response::text("done")
    }
    let mut scheduling = patient(SchedulingSettings {
        overruns: OverrunLimit { times: 3, of: 4 },
        ..SchedulingSettings::default()
    });
    scheduling.default.quantum_ns = 1_000_000;
    let app = App::new().flow(flow!("blocks", GET "/blocks", steps: [block])).scheduling(scheduling);
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    for _ in 0..4 {
        assert_eq!(client.ask(get("/blocks")).status, 200);
    }
    let captures = collector.wait_for(4);
    assert_eq!(moves(&captures[3]), ["default to batch: block often exceeds its quantum"]);
    for capture in &captures[..3] {
        let overran =
            |event: &_| matches!(event, Event::QuantumExceeded { step: 0, quantum_ns: 1_000_000, .. });
        assert!(capture.events.iter().any(overran), "each of them says so");
    }
    server.stop();
}

/// Lets others go first in the midst of its work.
#[step]
fn busy(progress: Option<u32>) -> Decision<(), u32> {
    let begun = std::time::Instant::now();
    while begun.elapsed() < 1.millis() {}
    if progress.is_some() { Continue(()) } else { Yield(1) }
}

#[test]
fn an_idle_worker_runs_requests_of_one_that_has_many() {
    const ROUNDS: usize = 500;
    let app = app().flow(flow!("busy", GET "/busy", steps: [busy, place])).workers(2);
    let (server, collector) = start(app);
    let mut clients: Vec<Client> = (0..16).map(|_| Client::connect(server.addr())).collect();
    // All of them belong to one worker, and the other has nothing to do.
    clients.retain_mut(|client| home(&collector, &client.ask(get("/plain"))) == 0);
    assert!(clients.len() > 1);
    let (mut asked, mut is_stolen) = (16 + clients.len(), false);
    clients.iter_mut().for_each(|client| client.send(get("/busy")));
    // There is always somebody more, so that the worker has no rest.
    for round in 0..ROUNDS {
        let is_last = is_stolen || round + 1 == ROUNDS;
        for client in &mut clients {
            let answer = client.answer().unwrap();
            assert_eq!(answer.status, 200);
            is_stolen |= answer.body.starts_with("zerver-1 ");
            if !is_last {
                client.send(get("/busy"));
                asked += 1;
            }
        }
        if is_last {
            break;
        }
    }
    assert!(is_stolen, "in {ROUNDS} rounds");
    let told = clients[0].ask(get("/healthz")).body;
    let stolen: u64 = measures(&mut clients[0]).workers.iter().map(|worker| worker.steals).sum();
    assert!(stolen > 0 && told.contains(&format!("\"stolen\":{stolen}")), "{told}");
    server.stop();
    let captures = collector.wait_for(asked);
    assert_eq!(captures.len(), asked, "each ends once");
    assert!(captures.iter().all(|capture| capture.status == 200));
    // Wherever it ran, the trace says so, and where its connection is.
    let was_stolen =
        |capture: &&Arc<Capture>| thread(capture) != format!("zerver-{}", capture.worker.unwrap());
    assert_eq!(captures.iter().filter(was_stolen).count() as u64, stolen);
    for capture in &captures {
        assert_eq!(recorded_thread(capture), thread(capture));
    }
}

fn measures(client: &mut Client) -> ServiceMetrics {
    let answer = client.ask("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n");
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn new_connections_go_where_others_have_closed() {
    let (server, collector) = start(app().workers(2));
    let connect = || {
        let mut client = Client::connect(server.addr());
        let is_first = home(&collector, &client.ask(get("/plain"))) == 0;
        (client, is_first)
    };
    let clients: Vec<_> = (0..8).map(|_| connect()).collect();
    let (first, mut second): (Vec<_>, Vec<_>) = clients.into_iter().partition(|(_, is_first)| *is_first);
    assert_eq!((first.len(), second.len()), (4, 4));
    drop(first);
    while measures(&mut second[0].0).workers[0].connections > 0 {}
    let again: Vec<_> = (0..4).map(|_| connect()).collect();
    assert!(again.iter().all(|(_, is_first)| *is_first), "all have as many again");
    let open: Vec<_> = measures(&mut second[0].0).workers.iter().map(|worker| worker.connections).collect();
    assert_eq!(open[..2], [4, 4]);
    server.stop();
}

#[test]
fn a_worker_that_hangs_is_replaced() {
    static GATE: Gate = Gate::new();
    let _opens = Opens(&GATE);
    #[step]
    fn hang() -> Response {
        GATE.pass();
        Response::text("at last")
    }
    let app = app().flow(flow!("hangs", GET "/hangs", steps: [hang])).stuck_after(1.millis());
    let (server, _) = start(app);
    let addr = server.addr();
    // Connections are dealt in turn, so these are with different workers.
    let [mut hangs, mut other] = std::array::from_fn(|_| Client::connect(addr));
    assert_eq!(other.ask(get("/healthz")).status, 200);
    hangs.send(get("/hangs"));
    GATE.wait_for(1);
    let told = loop {
        let answer = other.ask(get("/healthz"));
        assert_eq!(answer.status, 200);
        if answer.body.contains("degraded") {
            break answer.body;
        }
    };
    assert!(told.contains(r#""flow":"hangs""#) && told.contains(r#""step":"hang""#), "{told}");
    for _ in 0..4 {
        assert_eq!(Client::connect(addr).ask(get("/report")).status, 200, "new ones go elsewhere");
    }
    GATE.open();
    let answer = hangs.answer().unwrap();
    let id = answer.header("x-request-id").unwrap();
    assert!(answer.body == "at last" && told.contains(&format!(r#""request":"{id}""#)), "{id}: {told}");
    while other.ask(get("/healthz")).body.contains("degraded") {}
    assert_eq!(hangs.ask(get("/report")).status, 200);
    server.stop();
}

#[test]
fn batch_goes_on_while_the_only_worker_hangs() {
    static GATE: Gate = Gate::new();
    let _opens = Opens(&GATE);
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
    // As long as there is no other, the worker that hangs gets what connects.
    let ask = |path| {
        // The next has more time: on a slow machine nobody would ever be answered else.
        let answered = (1..60).find_map(|tenths| {
            let mut client = Client::connect(addr);
            client.send(get(path));
            client.is_answered_within(tenths * 100.millis()).then(|| client.answer().unwrap())
        });
        answered.expect("nobody is answered")
    };
    let told = ask("/healthz").body;
    assert!(told.contains("degraded"), "{told}");
    assert!(ask("/report").body.starts_with("zerver-batch-"));
    GATE.open();
    assert_eq!(hangs.answer().unwrap().body, "at last");
    server.stop();
}

#[test]
fn health_can_be_somewhere_else_or_nowhere() {
    let ask = |app: App, path: &str| {
        let (server, _) = start(app);
        Client::connect(server.addr()).ask(get(path)).status
    };
    assert_eq!(ask(app(), "/healthz"), 200);
    assert_eq!(ask(app().health(Some("/well")), "/well"), 200);
    assert_eq!(ask(app().health(Some("/well")), "/healthz"), 404);
    assert_eq!(ask(app().health(None), "/healthz"), 404);
    let own = app().flow(flow!("own", GET "/healthz", steps: [place]));
    let (server, collector) = start(own);
    assert_eq!(Client::connect(server.addr()).ask(get("/healthz")).status, 200);
    assert_eq!(collector.one().flow.name, "own");
}

#[test]
fn polls_of_the_tools_are_never_taken_for_traffic() {
    const POLL: &str = "/.zerver/status";
    // Whatever the service makes of paths and hosts.
    let everything = || app().flow(flow!("any", GET "/{*path}", steps: [place]));
    let (server, collector) = start(everything().health(Some("/well")).allow_host("api.example.com"));
    let mut client = Client::connect(server.addr());
    let told = client.ask(get(POLL));
    assert!(told.status == 200 && told.body.contains("workers"), "{told:?}");
    // Anything else with that path is traffic: of other clients, and with other methods.
    let other = format!("GET {POLL} HTTP/1.1\r\nhost: api.example.com\r\n\r\n");
    assert_ne!(client.ask(other).body, told.body);
    assert_eq!(request(&collector.one()).0, POLL);
    let (server, collector) = start(app().health(None));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.ask(get(POLL)).status, 404);
    assert_eq!(client.ask(get("/nowhere")).status, 404);
    assert_eq!(request(&collector.one()).0, "/nowhere");
}
