//! A worker in a long step: it does not delay the effects of other requests, and each delay that it causes is recorded.

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

/// Time that `spin` keeps its worker busy after its release: a minimum for the delay of completions that were ready by then.
const SPIN: Duration = Duration::from_millis(5);

#[step]
fn spin(request: &Request) -> Result<Response, Failure> {
    SPINS[request.param::<usize>("at")?].pass();
    let released = Instant::now();
    while released.elapsed() < SPIN {
        std::hint::spin_loop();
    }
    Ok(Response::text("done"))
}

/// Blocks a step, and thus its worker, until it is released.
struct Spin {
    /// Name of the blocked thread, and whether the spin is released.
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

    /// Blocks this worker with a request of this client. Repeated if another worker steals the request.
    fn block(&self, service: &Service, client: &mut Client, at: usize, worker: u16) {
        for _ in 0..20 {
            client.send(get(&format!("/spin/{at}")));
            let state = self.state.lock().unwrap();
            let (state, late) =
                self.changed.wait_timeout_while(state, PATIENCE, |(thread, _)| thread.is_none()).unwrap();
            assert!(!late.timed_out(), "no step has started");
            let is_blocked = state.0 == Some(format!("zerver-{worker}"));
            drop(state);
            if is_blocked {
                return;
            }
            self.release();
            service.answer(client, 200);
            self.state.lock().unwrap().1 = false;
        }
        panic!("another worker has stolen the request each time");
    }
}

/// Releases a spin when a test ends, so that no thread stays blocked.
struct ReleaseOnDrop(&'static Spin);

impl Drop for ReleaseOnDrop {
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

/// A server that answers each byte with one byte, once it is open.
#[derive(Default)]
struct Upstream {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    connections: usize,
    requests: usize,
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
                        state.requests += 1;
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

    fn wait_for(&self, requests: usize) {
        let state = self.lock();
        let (state, late) =
            self.changed.wait_timeout_while(state, PATIENCE, |state| state.requests < requests).unwrap();
        assert!(!late.timed_out(), "{} requests instead of {requests}", state.requests);
    }
}

/// Opens an upstream when a test ends.
struct OpenOnDrop(Arc<Upstream>);

impl Drop for OpenOnDrop {
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

/// A pool like that of many drivers: a connection is a task, which is spawned where the connection is opened.
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
                let (connection, mut queries) = mpsc::unbounded_channel::<oneshot::Sender<u8>>();
                tokio::spawn(async move {
                    while let Some(answer) = queries.recv().await {
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
fn query() -> Decision<Answered> {
    Need(effect(Query).map(Answered))
}

#[step]
fn show(answered: &Answered) -> Response {
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
            .flow(flow!("queries", GET "/query", steps: [query, show]))
            .flow(flow!("queries-quickly", GET "/query-quickly", steps: [query, show]).deadline(500.millis()))
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

    /// Returns the capture of the next answer, which must have this status.
    fn answer(&self, client: &mut Client, status: u16) -> Arc<Capture> {
        let answer = client.answer().expect("an answer");
        assert_eq!(answer.status, status, "{answer:?}");
        self.collector.of(answer.header("x-request-id").unwrap().parse().unwrap())
    }

    fn request(&self, client: &mut Client, target: &str) -> Arc<Capture> {
        client.send(get(target));
        self.answer(client, 200)
    }

    /// Returns a worker, two clients of it, and one client of another worker.
    fn two_clients_and_one(&self) -> (u16, [Client; 3]) {
        let mut clients = [(); 3].map(|()| self.connect());
        let workers = clients.each_mut().map(|client| self.request(client, "/hi").worker.unwrap());
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
            _ => panic!("connections are not distributed evenly: {workers:?}"),
        }
    }

    fn metrics(&self, client: &mut Client) -> ServiceMetrics {
        let answer =
            client.request("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n");
        serde_json::from_str(&answer.body).unwrap()
    }
}

/// Returns the times at which completions became ready and were handled, for those that `spin` delayed. On a busy machine, a
/// completion may also be delayed because the thread has no core.
fn delays(capture: &Capture) -> Vec<(u64, u64)> {
    let delay = |event: &Event<_>| match event {
        Event::CompletionDelayed { ready_ns, at_ns, thread, flow, step, .. } => {
            assert_eq!(*thread, capture.worker.map(Thread::Worker));
            let is_spin = (&**flow, &**step) == ("spins", "spin");
            assert!(is_spin || (&**flow, &**step) == ("", ""), "{step} of {flow}");
            is_spin.then_some((*ready_ns, *at_ns))
        }
        _ => None,
    };
    capture.events.iter().filter_map(delay).collect()
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap()
}

#[test]
fn a_connection_opened_by_a_busy_worker_serves_other_workers() {
    let _release_guard = ReleaseOnDrop(&SPINS[0]);
    let (upstream, addr) = Upstream::start();
    upstream.open();
    let service = Service::start(2, Pool::new(addr), Limits::default());
    let (busy, [mut opener, mut spinner, mut other]) = service.two_clients_and_one();
    service.request(&mut opener, "/query");
    SPINS[0].block(&service, &mut spinner, 0, busy);
    // It would never complete if it needed the worker that opened the connection.
    let capture = service.request(&mut other, "/query");
    assert_eq!(upstream.lock().connections, 1, "the connection is shared");
    assert_eq!(delays(&capture), []);
    SPINS[0].release();
    service.answer(&mut spinner, 200);
}

#[test]
fn a_completion_for_a_busy_worker_frees_its_permit_and_is_recorded_as_delayed() {
    let _release_guard = ReleaseOnDrop(&SPINS[1]);
    let (upstream, addr) = Upstream::start();
    let _open_guard = OpenOnDrop(Arc::clone(&upstream));
    let limits = Limits { effects_per_target: 1, ..Limits::default() };
    let service = Service::start(2, Pool::new(addr), limits);
    let (busy, [mut first, mut spinner, mut other]) = service.two_clients_and_one();
    first.send(get("/query"));
    upstream.wait_for(1);
    SPINS[1].block(&service, &mut spinner, 1, busy);
    other.send(get("/query"));
    upstream.open();
    let timely = service.answer(&mut other, 200);
    assert_eq!(delays(&timely), []);
    SPINS[1].release();
    let late = service.answer(&mut first, 200);
    let [(ready_ns, at_ns)] = delays(&late)[..] else { panic!("not one delay: {:?}", late.events.len()) };
    assert!(at_ns - ready_ns >= nanos(SPIN), "{ready_ns} to {at_ns}");
    let metrics = service.metrics(&mut other);
    let worker = &metrics.workers[usize::from(late.worker.unwrap())];
    assert!(worker.delayed_answers >= 1, "{metrics:?}");
    assert!(worker.answer_delay_ns >= at_ns - ready_ns, "{metrics:?}");
}

#[test]
fn a_queued_effect_starts_while_its_worker_is_busy() {
    let _release_guard = ReleaseOnDrop(&SPINS[2]);
    let (upstream, addr) = Upstream::start();
    let _open_guard = OpenOnDrop(Arc::clone(&upstream));
    let limits = Limits { effects_per_target: 1, ..Limits::default() };
    let service = Service::start(2, Pool::new(addr), limits);
    let (busy, [mut waits, mut spinner, mut first]) = service.two_clients_and_one();
    first.send(get("/query"));
    upstream.wait_for(1);
    waits.send(get("/query"));
    // The metrics come from the same worker, after the request that waits.
    while service.metrics(&mut spinner).effects.iter().all(|effect| effect.waiting == 0) {}
    SPINS[2].block(&service, &mut spinner, 2, busy);
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
    let [queued_ns, started_ns] = times.collect::<Vec<_>>()[..] else { panic!("not queued and started") };
    assert!(
        queued_ns <= started_ns && started_ns + nanos(SPIN) <= waited.duration_ns,
        "{queued_ns} {started_ns}"
    );
}

#[test]
fn a_deadline_that_a_busy_worker_notices_late_is_recorded_as_delayed() {
    let _release_guard = ReleaseOnDrop(&SPINS[3]);
    let (upstream, addr) = Upstream::start();
    let _open_guard = OpenOnDrop(Arc::clone(&upstream));
    let service = Service::start(2, Pool::new(addr), Limits::default());
    let (busy, [mut late, mut spinner, mut timely]) = service.two_clients_and_one();
    late.send(get("/query-quickly"));
    upstream.wait_for(1);
    SPINS[3].block(&service, &mut spinner, 3, busy);
    // Sent later, with the same deadline.
    timely.send(get("/query-quickly"));
    service.answer(&mut timely, 504);
    SPINS[3].release();
    let late = service.answer(&mut late, 504);
    assert_eq!(late.outcome, Outcome::TimedOut { step: 0 });
    let [(ready_ns, at_ns)] = delays(&late)[..] else { panic!("not one delay") };
    assert!(at_ns - ready_ns >= nanos(SPIN) && at_ns <= late.duration_ns, "{ready_ns} to {at_ns}");
}

/// Returns the maximum time that a part of a request was unread, and the time that `spin` ran meanwhile.
fn read_delay(capture: &Capture, of: RequestPart) -> Option<(u64, u64)> {
    capture.events.iter().find_map(|event| match event {
        Event::ReadDelayed { part, unread_ns, ran_ns, flow, step } if *part == of => {
            assert_eq!((&**flow, &**step), ("spins", "spin"));
            Some((*unread_ns, *ran_ns))
        }
        _ => None,
    })
}

#[test]
fn requests_that_are_read_right_after_a_long_step_are_recorded_as_delayed() {
    let _release_guard = ReleaseOnDrop(&SPINS[4]);
    let service = Service::start(1, Pool::new(([127, 0, 0, 1], 9).into()), Limits::default());
    let [mut spinner, mut getter, mut poster] = [(); 3].map(|()| service.connect());
    let before = service.request(&mut getter, "/hi");
    assert_eq!(before.events.len(), 2, "BodyReceived and StepRan");
    let head = "POST /hi HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    // The head has been read by then.
    assert_eq!(poster.request(head).status, 100);
    SPINS[4].block(&service, &mut spinner, 4, 0);
    getter.send(get("/hi"));
    poster.send("hi");
    SPINS[4].release();
    service.answer(&mut spinner, 200);
    let (got, posted) = (service.answer(&mut getter, 200), service.answer(&mut poster, 200));
    for (capture, part) in [(&got, RequestPart::Head), (&posted, RequestPart::Body)] {
        let (unread_ns, ran_ns) = read_delay(capture, part).expect("no read delay");
        assert!(unread_ns >= nanos(SPIN) && ran_ns >= nanos(SPIN), "{unread_ns} {ran_ns}");
    }
    assert_eq!(read_delay(&posted, RequestPart::Head), None);
    assert_eq!(read_delay(&got, RequestPart::Body), None);
    assert!(got.duration_ns < nanos(PATIENCE), "the delay is not part of the request's duration");
    // Only the third request is certain to be read in a later round of the worker.
    let [.., after] = [(); 3].map(|()| service.request(&mut spinner, "/hi"));
    assert_eq!(read_delay(&after, RequestPart::Head), None);
    let worker = &service.metrics(&mut getter).workers[0];
    assert!((1..=3).contains(&worker.delayed_heads), "{worker:?}");
    assert!(worker.head_delay_ns >= read_delay(&got, RequestPart::Head).unwrap().0, "{worker:?}");
}

#[test]
fn a_connection_accepted_right_after_a_long_step_is_recorded_as_delayed() {
    let _release_guard = ReleaseOnDrop(&SPINS[5]);
    let service = Service::start(2, Pool::new(([127, 0, 0, 1], 9).into()), Limits::default());
    let mut spinner = service.connect();
    let busy = service.request(&mut spinner, "/hi").worker.unwrap();
    SPINS[5].block(&service, &mut spinner, 5, busy);
    // Connections are distributed evenly: one goes to the busy worker, and the requests on the others are answered.
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
    assert_eq!(read_delay(&timely, RequestPart::Head), None);
    SPINS[5].release();
    service.answer(&mut spinner, 200);
    let late = service.answer(&mut waits, 200);
    assert!(late.worker == Some(busy) && timely.worker != Some(busy));
    let (unread_ns, ran_ns) = read_delay(&late, RequestPart::Head).expect("no read delay");
    assert!(unread_ns >= nanos(SPIN) && ran_ns >= nanos(SPIN), "{unread_ns} {ran_ns}");
}
