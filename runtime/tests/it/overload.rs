//! Overload: each class is shed in its own way, higher classes are unaffected, and no request waits forever.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use zerver::prelude::*;
use zerver::{SchedulingSettings, Server};
use zerver_trace::{Capture, Event, Outcome};

use crate::collector::start_on;
use crate::raw_client::{Answer, Client, get};
use crate::scheduling::{Gate, OpenOnDrop, without_wait_limits};

/// Returns settings with these queue lengths.
fn scheduling(interactive: usize, default: usize, batch: usize) -> SchedulingSettings {
    let mut scheduling = without_wait_limits(SchedulingSettings::default());
    for (class, queue) in
        [(Class::Interactive, interactive), (Class::Default, default), (Class::Batch, batch)]
    {
        scheduling.class_mut(class).queue = queue;
    }
    scheduling
}

/// Configures one batch worker, and turns off the replacement of stuck threads.
fn one_of_each(app: App, scheduling: SchedulingSettings) -> App {
    app.scheduling(scheduling).deadline(1.hours()).batch_workers(1).stuck_after(1.hours())
}

fn connect<const N: usize>(server: &Server) -> [Client; N] {
    std::array::from_fn(|_| {
        let mut client = Client::connect(server.addr());
        // Makes sure that the worker has accepted the connection.
        assert_eq!(client.request(get("/healthz")).status, 200);
        client
    })
}

/// Returns the number of served requests. The others must be shed with this status, this reason and `Retry-After`.
fn served<const N: usize>(clients: [&mut Client; N], status: u16, reason: &str) -> usize {
    let answers = clients.map(|client| client.answer().unwrap());
    answers.iter().filter(|answer| !is_shed(answer, status, reason)).count()
}

/// Returns true if the request was shed, which must be with this status, this reason and `Retry-After`.
fn is_shed(answer: &Answer, status: u16, reason: &str) -> bool {
    if answer.status == 200 {
        return false;
    }
    assert!(answer.status == status && answer.has_retry_after(), "{answer:?}");
    assert!(answer.body.contains(reason), "{answer:?}");
    true
}

#[test]
fn each_class_is_shed_in_its_own_way_and_interactive_requests_run_first() {
    static WORKER: Gate = Gate::new();
    static LOW: Gate = Gate::new();
    static ORDER: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let _guard = (OpenOnDrop(&WORKER), OpenOnDrop(&LOW));
    #[step]
    fn hold() -> Response {
        let started = Instant::now();
        WORKER.pass();
        // Long enough that the worker is behind afterwards.
        while started.elapsed() < 2.millis() {}
        Response::text("released")
    }
    #[step]
    fn hold_low() -> Response {
        LOW.pass();
        Response::text("released")
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
    // The worker reads all of these requests in its next round.
    for client in [&mut a, &mut b, &mut c, &mut d] {
        client.send(get("/urgent"));
    }
    for client in [&mut e, &mut f, &mut g, &mut h] {
        client.send(get("/plain"));
    }
    WORKER.open();
    assert_eq!(holds.answer().unwrap().status, 200);
    assert_eq!(served([&mut a, &mut b, &mut c, &mut d], 503, "interactive: queue full"), 2);
    // One request waits for the worker, two wait for the batch worker, and the fourth finds both queues full.
    collector.wait_for(7);
    // The batch queue is full, so batch requests are shed with 429.
    for client in [&mut i, &mut j, &mut k] {
        let answer = client.request(get("/report"));
        assert!(is_shed(&answer, 429, "batch: queue full"), "{answer:?}");
    }
    // Meanwhile, interactive requests are served at once.
    assert_eq!(i.request(get("/urgent")).body, "urgent");
    LOW.open();
    assert_eq!(holds_low.answer().unwrap().status, 200);
    assert_eq!(served([&mut e, &mut f, &mut g, &mut h], 503, "default: queue full"), 3);
    server.stop();

    let captures = collector.wait_for(14);
    assert_eq!(captures.len(), 14, "each request ends once");
    let of = |name: &str| captures.iter().filter(|capture| capture.flow.name == name).collect::<Vec<_>>();
    let count = |name: &str, status: u16| of(name).iter().filter(|capture| capture.status == status).count();
    assert_eq!((count("urgent", 200), count("urgent", 503)), (3, 2));
    assert_eq!((count("plain", 200), count("plain", 503)), (3, 1));
    assert_eq!((count("report", 200), count("report", 429)), (0, 3));
    let reclassified: Vec<_> = of("plain").iter().filter_map(|capture| reclassified(capture)).collect();
    assert_eq!(
        reclassified, ["default to batch: queue full"; 3],
        "three are reclassified, and one of them is shed"
    );
    for capture in captures.iter().filter(|capture| capture.status > 200) {
        let Outcome::Rejected { reason } = &capture.outcome else { panic!("{:?}", capture.outcome) };
        assert!(reason.ends_with(": queue full"), "{reason}");
    }
    let order = ORDER.lock().unwrap();
    assert_eq!(order[..3], ["interactive", "interactive", "default"], "{order:?}");
}

/// Returns the change of class, if there was one.
fn reclassified(capture: &Capture) -> Option<String> {
    capture.events.iter().find_map(|event| match event {
        Event::Reclassified { from, to, reason, .. } => Some(format!("{from} to {to}: {reason}")),
        _ => None,
    })
}

/// Keeps its core busy for 2 ms.
#[step]
fn work() -> Response {
    let started = Instant::now();
    while started.elapsed() < 2.millis() {}
    Response::text("done")
}

/// Sends requests until `is_stopped` is set. Sets the first flag of `seen` once a request is served, and the second once a
/// request is shed. Returns the number of requests.
fn hammer(
    mut client: Client,
    path: &str,
    status: u16,
    is_stopped: &AtomicBool,
    seen: &[AtomicBool; 2],
) -> usize {
    let mut requests = 0;
    while !is_stopped.load(Ordering::Relaxed) {
        let answer = client.request(get(path));
        requests += 1;
        seen[usize::from(is_shed(&answer, status, "queue full"))].store(true, Ordering::Relaxed);
    }
    requests
}

#[test]
fn under_overload_all_interactive_requests_are_served_and_no_class_starves() {
    const URGENT: usize = 200;
    let app = App::new()
        .flow(flow!("urgent", GET "/urgent", steps: [work]).class(Class::Interactive))
        .flow(flow!("plain", GET "/plain", steps: [work]))
        .flow(flow!("report", GET "/report", steps: [work]).class(Class::Batch));
    let mut scheduling = scheduling(100, 2, 2);
    // Steps that overrun must not move their flow to the batch class.
    scheduling.overruns = zerver::OverrunLimit { times: 10_000, of: u64::MAX };
    let (server, collector) = start_on(1, one_of_each(app, scheduling));
    let is_stopped = AtomicBool::new(false);
    let seen: [[AtomicBool; 2]; 2] = Default::default();
    let addr = server.addr();
    let (is_stopped, seen) = (&is_stopped, &seen);
    let requests: usize = std::thread::scope(|scope| {
        let plain = (0..8).map(|_| (0, "/plain", 503));
        let batch = (0..6).map(|_| (1, "/report", 429));
        let hammers: Vec<_> = plain
            .chain(batch)
            .map(|(at, path, status)| {
                scope.spawn(move || hammer(Client::connect(addr), path, status, is_stopped, &seen[at]))
            })
            .collect();
        let mut urgent = Client::connect(addr);
        let mut requests = 0;
        let is_seen = || seen.iter().flatten().all(|seen| seen.load(Ordering::Relaxed));
        while requests < URGENT || !is_seen() {
            let answer = urgent.request(get("/urgent"));
            requests += 1;
            assert_eq!((answer.status, answer.body.as_str()), (200, "done"), "after {requests}");
            assert!(requests < 100 * URGENT, "a class was never served or never shed: {seen:?}");
        }
        is_stopped.store(true, Ordering::Relaxed);
        hammers.into_iter().map(|hammer| hammer.join().unwrap()).sum::<usize>() + requests
    });
    server.stop();
    assert_eq!(collector.wait_for(requests).len(), requests, "each request ends once");
}
