//! More comes than can be done: each class is sent away in its own manner, the higher ones are unharmed, and nobody
//! waits for ever.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use zerver::prelude::*;
use zerver::{SchedulingSettings, Server};
use zerver_trace::{Capture, Event, Outcome};

use crate::collector::start_on;
use crate::raw_client::{Answer, Client, get};
use crate::scheduling::{Gate, Opens, patient};

/// So many may wait.
fn scheduling(interactive: usize, default: usize, batch: usize) -> SchedulingSettings {
    let mut scheduling = patient(SchedulingSettings::default());
    for (class, queue) in
        [(Class::Interactive, interactive), (Class::Default, default), (Class::Batch, batch)]
    {
        scheduling.class_mut(class).queue = queue;
    }
    scheduling
}

/// One worker and one thread of low priority; neither is ever replaced.
fn one_of_each(app: App, scheduling: SchedulingSettings) -> App {
    app.scheduling(scheduling).deadline(1.hours()).batch_workers(1).stuck_after(1.hours())
}

fn connect<const N: usize>(server: &Server) -> [Client; N] {
    std::array::from_fn(|_| {
        let mut client = Client::connect(server.addr());
        // So that the worker knows it.
        assert_eq!(client.ask(get("/healthz")).status, 200);
        client
    })
}

/// How many of these were answered, and the others: each with this status, and when to come again.
fn served<const N: usize>(clients: [&mut Client; N], refused: u16, why: &str) -> usize {
    let answers = clients.map(|client| client.answer().unwrap());
    answers.iter().filter(|answer| !is_refused(answer, refused, why)).count()
}

fn is_refused(answer: &Answer, status: u16, why: &str) -> bool {
    if answer.status == 200 {
        return false;
    }
    assert!(answer.status == status && answer.says_when_to_come_again(), "{answer:?}");
    assert!(answer.body.contains(why), "{answer:?}");
    true
}

#[test]
fn each_class_overflows_in_its_own_manner_and_the_urgent_go_first() {
    static WORKER: Gate = Gate::new();
    static LOW: Gate = Gate::new();
    static ORDER: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let _opens = (Opens(&WORKER), Opens(&LOW));
    #[step]
    fn hold() -> Response {
        let began = Instant::now();
        WORKER.pass();
        // Long enough for the worker to be behind afterwards.
        while began.elapsed() < 2.millis() {}
        Response::text("held")
    }
    #[step]
    fn hold_low() -> Response {
        LOW.pass();
        Response::text("held")
    }
    #[step]
    fn urgent() -> Response {
        ORDER.lock().unwrap().push("interactive");
        Response::text("urgent")
    }
    #[step]
    fn plain() -> Response {
        ORDER.lock().unwrap().push("default");
        Response::text("plain")
    }
    let app = App::new()
        .flow(flow!("hold", GET "/hold", steps: [hold]).class(Class::Interactive))
        .flow(flow!("hold-low", GET "/hold-low", steps: [hold_low]).class(Class::Batch))
        .flow(flow!("urgent", GET "/urgent", steps: [urgent]).class(Class::Interactive))
        .flow(flow!("plain", GET "/plain", steps: [plain]))
        .flow(flow!("report", GET "/report", steps: [plain]).class(Class::Batch));
    let (server, collector) = start_on(1, one_of_each(app, scheduling(2, 1, 2)));
    let [mut holds, mut holds_low] = connect(&server);
    let [mut a, mut b, mut c, mut d] = connect(&server);
    let [mut e, mut f, mut g, mut h] = connect(&server);
    let [mut i, mut j, mut k] = connect(&server);
    holds_low.send(get("/hold-low"));
    LOW.wait_for(1);
    holds.send(get("/hold"));
    WORKER.wait_for(1);
    // All of these are there when the worker comes round.
    for client in [&mut a, &mut b, &mut c, &mut d] {
        client.send(get("/urgent"));
    }
    for client in [&mut e, &mut f, &mut g, &mut h] {
        client.send(get("/plain"));
    }
    WORKER.open();
    assert_eq!(holds.answer().unwrap().status, 200);
    assert_eq!(served([&mut a, &mut b, &mut c, &mut d], 503, "interactive: queue full"), 2);
    // One waits for the worker and two at low priority, where there is no room for the fourth.
    collector.wait_for(7);
    // The queue there is full, so batch is sent away in another manner.
    for client in [&mut i, &mut j, &mut k] {
        let answer = client.ask(get("/report"));
        assert!(is_refused(&answer, 429, "batch: queue full"), "{answer:?}");
    }
    // Meanwhile whoever is urgent is served at once.
    assert_eq!(i.ask(get("/urgent")).body, "urgent");
    LOW.open();
    assert_eq!(holds_low.answer().unwrap().status, 200);
    assert_eq!(served([&mut e, &mut f, &mut g, &mut h], 503, "default: queue full"), 3);
    server.stop();

    let captures = collector.wait_for(14);
    assert_eq!(captures.len(), 14, "each ends once");
    let of = |name: &str| captures.iter().filter(|capture| capture.flow.name == name).collect::<Vec<_>>();
    let count = |name: &str, status: u16| of(name).iter().filter(|capture| capture.status == status).count();
    assert_eq!((count("urgent", 200), count("urgent", 503)), (3, 2));
    assert_eq!((count("plain", 200), count("plain", 503)), (3, 1));
    assert_eq!((count("report", 200), count("report", 429)), (0, 3));
    let moved: Vec<_> = of("plain").iter().filter_map(|capture| moved(capture)).collect();
    assert_eq!(moved, ["default to batch: queue full"; 3], "demoted first, and then one of them sent away");
    for capture in captures.iter().filter(|capture| capture.status > 200) {
        let Outcome::Rejected { reason } = &capture.outcome else { panic!("{:?}", capture.outcome) };
        assert!(reason.ends_with(": queue full"), "{reason}");
    }
    let order = ORDER.lock().unwrap();
    assert_eq!(order[..3], ["interactive", "interactive", "default"], "{order:?}");
}

fn moved(capture: &Capture) -> Option<String> {
    capture.events.iter().find_map(|event| match event {
        Event::Reclassified { from, to, reason, .. } => Some(format!("{from} to {to}: {reason}")),
        _ => None,
    })
}

/// Takes a while, and leaves the core to nobody.
#[step]
fn work() -> Response {
    let began = Instant::now();
    while began.elapsed() < 2.millis() {}
    Response::text("done")
}

/// Asks again and again until it is told to stop. Of its answers: how many, and whether one was served, and one was not.
fn hammer(mut client: Client, path: &str, refused: u16, told: &AtomicBool, seen: &[AtomicBool; 2]) -> usize {
    let mut asked = 0;
    while !told.load(Ordering::Relaxed) {
        let answer = client.ask(get(path));
        asked += 1;
        seen[usize::from(is_refused(&answer, refused, "queue full"))].store(true, Ordering::Relaxed);
    }
    asked
}

#[test]
fn under_overload_the_urgent_are_all_served_and_nobody_starves() {
    const URGENT: usize = 200;
    let app = App::new()
        .flow(flow!("urgent", GET "/urgent", steps: [work]).class(Class::Interactive))
        .flow(flow!("plain", GET "/plain", steps: [work]))
        .flow(flow!("report", GET "/report", steps: [work]).class(Class::Batch));
    let mut scheduling = scheduling(100, 2, 2);
    // Its steps are what they are; here they stay where they are.
    scheduling.overruns = zerver::OverrunLimit { times: 10_000, of: u64::MAX };
    let (server, collector) = start_on(1, one_of_each(app, scheduling));
    let told = AtomicBool::new(false);
    let seen: [[AtomicBool; 2]; 2] = Default::default();
    let addr = server.addr();
    let (told, seen) = (&told, &seen);
    let asked: usize = std::thread::scope(|scope| {
        let plain = (0..8).map(|_| (0, "/plain", 503));
        let batch = (0..6).map(|_| (1, "/report", 429));
        let hammers: Vec<_> = plain
            .chain(batch)
            .map(|(at, path, refused)| {
                scope.spawn(move || hammer(Client::connect(addr), path, refused, told, &seen[at]))
            })
            .collect();
        let mut urgent = Client::connect(addr);
        let mut asked = 0;
        let is_seen = || seen.iter().flatten().all(|seen| seen.load(Ordering::Relaxed));
        while asked < URGENT || !is_seen() {
            let answer = urgent.ask(get("/urgent"));
            asked += 1;
            assert_eq!((answer.status, answer.body.as_str()), (200, "done"), "after {asked}");
            assert!(asked < 100 * URGENT, "each class is served now and then, and sent away: {seen:?}");
        }
        told.store(true, Ordering::Relaxed);
        hammers.into_iter().map(|hammer| hammer.join().unwrap()).sum::<usize>() + asked
    });
    server.stop();
    assert_eq!(collector.wait_for(asked).len(), asked, "each ends once");
}
