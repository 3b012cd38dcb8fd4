//! A worker in a long step: nobody else's effects wait for it, and what did wait says so.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use zerver::effects::EffectResult as Performed;
use zerver::prelude::*;
use zerver::{Limits, Server};
use zerver_replay::ServiceMetrics;
use zerver_trace::{Capture, Event, Outcome, QueueReason, RequestPart, Thread};

use crate::collector::{Collector, start_on};
use crate::raw_client::{Client, PATIENCE, get};

static SPINS: [Spin; 6] = [const { Spin::new() }; 6];

/// What was ready when it was released has been for this long when the step returns.
const SPIN: Duration = Duration::from_millis(5);

#[step]
fn spin(request: &Request) -> Result<Response, Failure> {
    SPINS[request.param::<usize>("at")?].pass();
    let released = Instant::now();
    while released.elapsed() < SPIN {
        std::hint::spin_loop();
    }
    Ok(Response::text("over"))
}

/// Keeps one step, and with it its worker, until it is released.
struct Spin {
    /// The thread that is in it, and whether it is released.
    state: Mutex<(Option<String>, bool)>,
    changed: Condvar,
}

impl Spin {
    const fn new() -> Self {
        Self { state: Mutex::new((None, false)), changed: Condvar::new() }
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = Some(thread::current().name().unwrap_or_default().to_owned());
        self.changed.notify_all();
        state = self.changed.wait_while(state, |(_, is_released)| !*is_released).unwrap();
        state.0 = None;
        self.changed.notify_all();
    }

    fn release(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    /// Has this client's request keep this worker. While a worker is slow to come round, another may take the request:
    /// then once more.
    fn keep(&self, service: &Service, client: &mut Client, at: usize, worker: u16) {
        for _ in 0..20 {
            client.send(get(&format!("/spin/{at}")));
            let state = self.state.lock().unwrap();
            let (state, late) =
                self.changed.wait_timeout_while(state, PATIENCE, |(thread, _)| thread.is_none()).unwrap();
            assert!(!late.timed_out(), "no step has come");
            let is_there = state.0 == Some(format!("zerver-{worker}"));
            drop(state);
            if is_there {
                return;
            }
            self.release();
            service.answer(client, 200);
            self.state.lock().unwrap().1 = false;
        }
        panic!("always on another worker");
    }
}

/// Releases it however a test ends, so that no thread is left in it.
struct Releases(&'static Spin);

impl Drop for Releases {
    fn drop(&mut self) {
        if let Ok(mut state) = self.0.state.lock() {
            state.1 = true;
        }
        self.0.changed.notify_all();
    }
}

#[step]
fn hi() -> Response {
    Response::text("hi")
}

/// A server that answers each byte with one when it is open.
#[derive(Default)]
struct Upstream {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    connections: usize,
    asked: usize,
    is_open: bool,
}

impl Upstream {
    fn start() -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (upstream, addr) = (Arc::new(Self::default()), listener.local_addr().unwrap());
        let of_thread = Arc::clone(&upstream);
        thread::spawn(move || {
            for mut socket in listener.incoming().map_while(Result::ok) {
                let upstream = Arc::clone(&of_thread);
                upstream.lock().connections += 1;
                thread::spawn(move || {
                    while let Ok(1..) = socket.read(&mut [0; 1]) {
                        let mut state = upstream.lock();
                        state.asked += 1;
                        upstream.changed.notify_all();
                        drop(upstream.changed.wait_while(state, |state| !state.is_open).unwrap());
                        if socket.write_all(&[7]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (upstream, addr)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn open(&self) {
        self.lock().is_open = true;
        self.changed.notify_all();
    }

    fn wait_for(&self, asked: usize) {
        let state = self.lock();
        let (state, late) =
            self.changed.wait_timeout_while(state, PATIENCE, |state| state.asked < asked).unwrap();
        assert!(!late.timed_out(), "asked {} times instead of {asked}", state.asked);
    }
}

/// Opens it however a test ends.
struct OpensUpstream(Arc<Upstream>);

impl Drop for OpensUpstream {
    fn drop(&mut self) {
        self.0.open();
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Query;

impl EffectKind for Query {
    type Output = u8;
    const KIND: &'static str = "query";

    fn target(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some("upstream".into())
    }
}

/// A pool as many drivers have it: a connection is a task, which is spawned where the connection is opened.
#[derive(Clone)]
struct Pool {
    addr: SocketAddr,
    connection: Arc<AsyncMutex<Option<mpsc::UnboundedSender<oneshot::Sender<u8>>>>>,
}

impl Pool {
    fn new(addr: SocketAddr) -> Self {
        Self { addr, connection: Arc::default() }
    }

    async fn query(self) -> Performed<Query> {
        let broken = || EffectError::new(EffectErrorKind::Unreachable, "the connection is broken");
        let mut pooled = self.connection.lock().await;
        let connection = match &*pooled {
            Some(connection) => connection.clone(),
            None => {
                let mut socket = tokio::net::TcpStream::connect(self.addr).await.map_err(|_| broken())?;
                let (connection, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<u8>>();
                tokio::spawn(async move {
                    while let Some(answer) = asked.recv().await {
                        socket.write_all(b"?").await.unwrap();
                        let _ = answer.send(socket.read_u8().await.unwrap());
                    }
                });
                pooled.insert(connection).clone()
            }
        };
        drop(pooled);
        let (answer, answered) = oneshot::channel();
        connection.send(answer).map_err(|_| broken())?;
        answered.await.map_err(|_| broken())
    }
}

#[derive(Slot, Serialize, Deserialize)]
struct Answered(u8);

#[step]
fn ask() -> Decision<Answered> {
    Need(effect(Query).map(Answered))
}

#[step]
fn tell(answered: &Answered) -> Response {
    Response::text(answered.0.to_string())
}

struct Service {
    server: Server,
    collector: Arc<Collector>,
}

impl Service {
    fn start(workers: usize, pool: Pool, limits: Limits) -> Self {
        let app = App::new()
            .flow(flow!("spins", GET "/spin/{at}", steps: [spin]))
            .flow(flow!("asks", GET "/ask", steps: [ask, tell]))
            .flow(flow!("asks-quickly", GET "/ask-quickly", steps: [ask, tell]).deadline(500.millis()))
            .flow(flow!("greets", GET "/hi", steps: [hi]))
            .flow(flow!("posts", POST "/hi", steps: [hi]))
            .interpreter::<Query>(move |_: &Query| pool.clone().query())
            .limits(limits)
            .batch_workers(0)
            .stuck_after(1.hours());
        let (server, collector) = start_on(workers, app);
        Self { server, collector }
    }

    fn connect(&self) -> Client {
        Client::connect(self.server.addr())
    }

    /// What is recorded of the next answer, which has this status.
    fn answer(&self, client: &mut Client, status: u16) -> Arc<Capture> {
        let answer = client.answer().expect("an answer");
        assert_eq!(answer.status, status, "{answer:?}");
        self.collector.of(answer.header("x-request-id").unwrap().parse().unwrap())
    }

    fn ask(&self, client: &mut Client, target: &str) -> Arc<Capture> {
        client.send(get(target));
        self.answer(client, 200)
    }

    /// A worker, two connections of it, and one of another.
    fn two_and_one(&self) -> (u16, [Client; 3]) {
        let mut clients = [(); 3].map(|()| self.connect());
        let workers = clients.each_mut().map(|client| self.ask(client, "/hi").worker.unwrap());
        match workers {
            [a, b, c] if a == b && b != c => (a, clients),
            [a, b, c] if a == c && b != c => {
                clients.swap(1, 2);
                (a, clients)
            }
            [a, b, c] if b == c && a != c => {
                clients.rotate_left(1);
                (b, clients)
            }
            _ => panic!("connections are dealt out evenly: {workers:?}"),
        }
    }

    fn measures(&self, client: &mut Client) -> ServiceMetrics {
        let asked =
            client.ask("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n");
        serde_json::from_str(&asked.body).unwrap()
    }
}

/// When something was ready and when it was taken, for each time that it lay ready because of `spin`. On a busy machine a
/// thread may also be late because it has no core.
fn lates(capture: &Capture) -> Vec<(u64, u64)> {
    let late = |event: &Event<_>| match event {
        Event::CompletionDelayed { ready_ns, at_ns, thread: on, flow, step, .. } => {
            assert_eq!(*on, capture.worker.map(Thread::Worker));
            let is_it = (&**flow, &**step) == ("spins", "spin");
            assert!(is_it || (&**flow, &**step) == ("", ""), "{step} of {flow}");
            is_it.then_some((*ready_ns, *at_ns))
        }
        _ => None,
    };
    capture.events.iter().filter_map(late).collect()
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap()
}

#[test]
fn a_connection_that_a_busy_worker_has_opened_serves_others() {
    let _releases = Releases(&SPINS[0]);
    let (upstream, addr) = Upstream::start();
    upstream.open();
    let service = Service::start(2, Pool::new(addr), Limits::default());
    let (busy, [mut opener, mut spinner, mut other]) = service.two_and_one();
    service.ask(&mut opener, "/ask");
    SPINS[0].keep(&service, &mut spinner, 0, busy);
    // It would never end if it needed the worker that opened the connection.
    let asked = service.ask(&mut other, "/ask");
    assert_eq!(upstream.lock().connections, 1, "the connection is shared");
    assert_eq!(lates(&asked), []);
    SPINS[0].release();
    service.answer(&mut spinner, 200);
}

#[test]
fn an_answer_for_a_busy_worker_frees_its_place_and_is_told_to_be_late() {
    let _releases = Releases(&SPINS[1]);
    let (upstream, addr) = Upstream::start();
    let _opens_upstream = OpensUpstream(Arc::clone(&upstream));
    let limits = Limits { effects_per_target: 1, ..Limits::default() };
    let service = Service::start(2, Pool::new(addr), limits);
    let (busy, [mut first, mut spinner, mut other]) = service.two_and_one();
    first.send(get("/ask"));
    upstream.wait_for(1);
    SPINS[1].keep(&service, &mut spinner, 1, busy);
    other.send(get("/ask"));
    upstream.open();
    let timely = service.answer(&mut other, 200);
    assert_eq!(lates(&timely), []);
    SPINS[1].release();
    let late = service.answer(&mut first, 200);
    let [(ready_ns, at_ns)] = lates(&late)[..] else { panic!("late once: {:?}", late.events.len()) };
    assert!(at_ns - ready_ns >= nanos(SPIN), "{ready_ns} to {at_ns}");
    let worker = late.worker.unwrap();
    let measures = service.measures(&mut other);
    let of = |number: u16| &measures.workers[usize::from(number)];
    assert!(of(worker).delayed_answers >= 1, "{measures:?}");
    assert!(of(worker).answer_delay_ns >= at_ns - ready_ns, "{measures:?}");
}

#[test]
fn an_effect_that_waits_for_its_place_begins_while_its_worker_is_busy() {
    let _releases = Releases(&SPINS[2]);
    let (upstream, addr) = Upstream::start();
    let _opens_upstream = OpensUpstream(Arc::clone(&upstream));
    let limits = Limits { effects_per_target: 1, ..Limits::default() };
    let service = Service::start(2, Pool::new(addr), limits);
    let (busy, [mut waits, mut spinner, mut first]) = service.two_and_one();
    first.send(get("/ask"));
    upstream.wait_for(1);
    waits.send(get("/ask"));
    // Asked on the same worker, after the one that waits.
    while service.measures(&mut spinner).effects.iter().all(|effect| effect.waiting == 0) {}
    SPINS[2].keep(&service, &mut spinner, 2, busy);
    upstream.open();
    service.answer(&mut first, 200);
    upstream.wait_for(2);
    SPINS[2].release();
    let waited = service.answer(&mut waits, 200);
    let times = waited.events.iter().filter_map(|event| match event {
        Event::EffectQueued { at_ns, reason: QueueReason::Target, .. }
        | Event::EffectStarted { at_ns, .. } => Some(*at_ns),
        _ => None,
    });
    let [held_ns, begun_ns] = times.collect::<Vec<_>>()[..] else { panic!("held, and begun") };
    assert!(held_ns <= begun_ns && begun_ns + nanos(SPIN) <= waited.duration_ns, "{held_ns} {begun_ns}");
}

#[test]
fn a_deadline_that_a_busy_worker_sees_late_is_told_apart() {
    let _releases = Releases(&SPINS[3]);
    let (upstream, addr) = Upstream::start();
    let _opens_upstream = OpensUpstream(Arc::clone(&upstream));
    let service = Service::start(2, Pool::new(addr), Limits::default());
    let (busy, [mut late, mut spinner, mut timely]) = service.two_and_one();
    late.send(get("/ask-quickly"));
    upstream.wait_for(1);
    SPINS[3].keep(&service, &mut spinner, 3, busy);
    // Asked later, with the same deadline.
    timely.send(get("/ask-quickly"));
    service.answer(&mut timely, 504);
    SPINS[3].release();
    let late = service.answer(&mut late, 504);
    assert_eq!(late.outcome, Outcome::TimedOut { step: 0 });
    let [(ready_ns, at_ns)] = lates(&late)[..] else { panic!("late once") };
    assert!(at_ns - ready_ns >= nanos(SPIN) && at_ns <= late.duration_ns, "{ready_ns} to {at_ns}");
}

/// How long a part of a request was unread at most, and how long `spin` ran then.
fn read_late(capture: &Capture, of: RequestPart) -> Option<(u64, u64)> {
    capture.events.iter().find_map(|event| match event {
        Event::ReadDelayed { part, unread_ns, ran_ns, flow, step } if *part == of => {
            assert_eq!((&**flow, &**step), ("spins", "spin"));
            Some((*unread_ns, *ran_ns))
        }
        _ => None,
    })
}

#[test]
fn what_is_read_right_after_a_long_step_says_so() {
    let _releases = Releases(&SPINS[4]);
    let service = Service::start(1, Pool::new(([127, 0, 0, 1], 9).into()), Limits::default());
    let [mut spinner, mut asks, mut posts] = [(); 3].map(|()| service.connect());
    let before = service.ask(&mut asks, "/hi");
    assert_eq!(before.events.len(), 2, "received, ran");
    let head = "POST /hi HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    // Its head has been read then.
    assert_eq!(posts.ask(head).status, 100);
    SPINS[4].keep(&service, &mut spinner, 4, 0);
    asks.send(get("/hi"));
    posts.send("hi");
    SPINS[4].release();
    service.answer(&mut spinner, 200);
    let (asked, posted) = (service.answer(&mut asks, 200), service.answer(&mut posts, 200));
    for (capture, part) in [(&asked, RequestPart::Head), (&posted, RequestPart::Body)] {
        let (unread_ns, ran_ns) = read_late(capture, part).expect("read late");
        assert!(unread_ns >= nanos(SPIN) && ran_ns >= nanos(SPIN), "{unread_ns} {ran_ns}");
    }
    assert_eq!(read_late(&posted, RequestPart::Head), None);
    assert_eq!(read_late(&asked, RequestPart::Body), None);
    assert!(asked.duration_ns < nanos(PATIENCE), "that is no time of the request");
    // The worker comes round with the first two.
    let [.., after] = [(); 3].map(|()| service.ask(&mut spinner, "/hi"));
    assert_eq!(read_late(&after, RequestPart::Head), None);
    let worker = &service.measures(&mut asks).workers[0];
    assert!((1..=3).contains(&worker.delayed_heads), "{worker:?}");
    assert!(worker.head_delay_ns >= read_late(&asked, RequestPart::Head).unwrap().0, "{worker:?}");
}

#[test]
fn a_connection_that_is_opened_right_after_a_long_step_says_so() {
    let _releases = Releases(&SPINS[5]);
    let service = Service::start(2, Pool::new(([127, 0, 0, 1], 9).into()), Limits::default());
    let mut spinner = service.connect();
    let busy = service.ask(&mut spinner, "/hi").worker.unwrap();
    SPINS[5].keep(&service, &mut spinner, 5, busy);
    // They are dealt out evenly: one of them goes to the worker that is busy, and the others are answered.
    let mut clients: Vec<_> = std::iter::repeat_with(|| {
        let mut client = service.connect();
        client.send(get("/hi"));
        client
    })
    .take(3)
    .collect();
    let mut waiting: Vec<_> = (0..clients.len()).collect();
    while waiting.len() > 1 {
        waiting.retain(|&at| !clients[at].is_answered_within(10.millis()));
    }
    let mut waits = clients.swap_remove(waiting[0]);
    let timely = service.answer(&mut clients[0], 200);
    assert_eq!(read_late(&timely, RequestPart::Head), None);
    SPINS[5].release();
    service.answer(&mut spinner, 200);
    let late = service.answer(&mut waits, 200);
    assert!(late.worker == Some(busy) && timely.worker != Some(busy));
    let (unread_ns, ran_ns) = read_late(&late, RequestPart::Head).expect("read late");
    assert!(unread_ns >= nanos(SPIN) && ran_ns >= nanos(SPIN), "{unread_ns} {ran_ns}");
}
