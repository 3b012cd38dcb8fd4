//! Retries and concurrency limits of effects over real sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use zerver::effects::http;
use zerver::prelude::*;
use zerver::{Limits, Server};
use zerver_replay::{EffectMetrics, ServiceMetrics};
use zerver_trace::{Answer, Capture, Event, Outcome};

use crate::collector::start;
use crate::raw_client::{Client, PATIENCE, get};

/// An upstream server. It answers `/blocked` once it is open, and `/flaky/2` with 503 twice and then with 200.
#[derive(Default)]
struct Upstream {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    in_flight: usize,
    max_in_flight: usize,
    requests: usize,
    is_open: bool,
}

impl Upstream {
    fn start() -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (upstream, addr) = (Arc::new(Self::default()), listener.local_addr().unwrap());
        let of_thread = Arc::clone(&upstream);
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let upstream = Arc::clone(&of_thread);
                thread::spawn(move || upstream.serve(socket));
            }
        });
        (upstream, addr)
    }

    fn serve(&self, mut socket: TcpStream) {
        let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = socket.read(&mut buffer) {
            head.extend_from_slice(&buffer[..read]);
            if !head.ends_with(b"\r\n\r\n") {
                continue;
            }
            let status = self.answer(&String::from_utf8_lossy(&head));
            head.clear();
            let answer = format!("HTTP/1.1 {status} Status\r\ncontent-length: 1\r\n\r\n7");
            if socket.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, head: &str) -> u16 {
        let mut state = self.state.lock().unwrap();
        state.in_flight += 1;
        state.max_in_flight = state.max_in_flight.max(state.in_flight);
        let earlier = state.requests;
        state.requests += 1;
        self.changed.notify_all();
        let path = head.split(' ').nth(1).unwrap();
        let status = match path.strip_prefix("/flaky/") {
            Some(failures) => {
                if earlier < failures.parse().unwrap() {
                    503
                } else {
                    200
                }
            }
            None => {
                state = self.changed.wait_while(state, |state| !state.is_open).unwrap();
                200
            }
        };
        state.in_flight -= 1;
        status
    }

    fn wait_for(&self, requests: usize) {
        let state = self.state.lock().unwrap();
        let (state, late) =
            self.changed.wait_timeout_while(state, PATIENCE, |state| state.requests < requests).unwrap();
        assert!(!late.timed_out(), "{} requests instead of {requests}", state.requests);
    }

    fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    fn open(&self) {
        self.state.lock().unwrap().is_open = true;
        self.changed.notify_all();
    }
}

/// Opens an upstream when a test ends.
struct OpenOnDrop(Arc<Upstream>);

impl Drop for OpenOnDrop {
    fn drop(&mut self) {
        self.0.open();
    }
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Figures(u32);

#[step]
fn ask(request: &Request) -> Result<Decision<Figures>, Failure> {
    let (to, path): (String, _) = (request.param("to")?, request.query("path").unwrap_or_default());
    let retry = Retry::attempts(3).pause(2.millis(), 2.millis());
    Ok(Need(http::get(format!("http://{to}{path}")).json().retry(retry).map(Figures)))
}

#[step]
fn show(figures: &Figures) -> Response {
    Response::text(figures.0.to_string())
}

fn app(effects_per_target: usize) -> App {
    App::new()
        .flow(flow!("ask", GET "/ask/{to}", steps: [ask, show]))
        .flow(flow!("hurried", GET "/hurried/{to}", steps: [ask, show]).deadline(50.millis()))
        .limits(Limits { effects_per_target, ..Limits::default() })
}

fn metrics(client: &mut Client) -> ServiceMetrics {
    let answer =
        client.request("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n");
    serde_json::from_str(&answer.body).unwrap()
}

fn http_metrics(client: &mut Client) -> EffectMetrics {
    metrics(client).effects.into_iter().find(|effect| effect.kind == "http").unwrap()
}

/// Polls the metrics of `http` effects until the condition holds.
fn wait_until(server: &Server, condition: impl Fn(&EffectMetrics) -> bool) -> EffectMetrics {
    let mut client = Client::connect(server.addr());
    let until = Instant::now() + PATIENCE;
    loop {
        let http = http_metrics(&mut client);
        if condition(&http) {
            return http;
        }
        assert!(Instant::now() < until, "{http:?}");
        thread::yield_now();
    }
}

fn attempts(capture: &Capture) -> Vec<u16> {
    let attempt = |event: &Event<_>| match event {
        Event::EffectRequested { attempt, .. } => Some(*attempt),
        _ => None,
    };
    capture.events.iter().filter_map(attempt).collect()
}

/// Describes the events of the effects of a request, without times.
fn effect_events(capture: &Capture) -> Vec<String> {
    let describe = |event: &Event<_>| match event {
        Event::EffectRequested { attempt, .. } => Some(format!("attempt {attempt}")),
        Event::EffectQueued { reason, .. } => Some(format!("queued for its {}", reason.as_str())),
        Event::EffectStarted { .. } => Some("started".to_owned()),
        Event::EffectCompleted { answer: Answer::Canceled, .. } => Some("canceled".to_owned()),
        Event::EffectCompleted { .. } => Some("completed".to_owned()),
        _ => None,
    };
    capture.events.iter().filter_map(describe).collect()
}

#[test]
fn an_effect_that_fails_twice_succeeds_at_the_third_attempt() {
    let (upstream, to) = Upstream::start();
    let (server, collector) = start(app(256));
    let mut client = Client::connect(server.addr());
    let answer = client.request(get(&format!("/ask/{to}?path=/flaky/2")));
    assert_eq!((answer.status, answer.body.as_str(), upstream.requests()), (200, "7", 3));
    let capture = collector.one();
    assert_eq!(attempts(&capture), [1, 2, 3]);
    let steps = metrics(&mut client).steps;
    let retries =
        |name: &str| steps.iter().find(|step| step.name == name && step.flow == "ask").unwrap().retries;
    assert_eq!((retries("ask"), retries("show")), (2, 0));
    // There is no fourth attempt: the third answer is the failure.
    let (upstream, to) = Upstream::start();
    let answer = client.request(get(&format!("/ask/{to}?path=/flaky/9")));
    assert_eq!((answer.status, upstream.requests()), (502, 3));
    let metrics = client.request(get("/metrics")).body;
    let line = "zerver_step_retries_total{flow=\"ask\",step=\"ask\"} 4";
    assert!(metrics.lines().any(|metric| metric == line), "no {line} in\n{metrics}");
    server.stop();
}

#[test]
fn requests_to_a_target_never_exceed_its_limit() {
    const LIMIT: usize = 2;
    const REQUESTS: usize = 10;
    let (upstream, to) = Upstream::start();
    let (server, collector) = start(app(LIMIT));
    let guard = OpenOnDrop(Arc::clone(&upstream));
    let addr = server.addr();
    let clients: Vec<_> = (0..REQUESTS)
        .map(|_| {
            thread::spawn(move || {
                Client::connect(addr).request(get(&format!("/ask/{to}?path=/blocked"))).status
            })
        })
        .collect();
    let is_limit_reached =
        |http: &EffectMetrics| (http.waiting, http.in_flight) == ((REQUESTS - LIMIT) as u64, LIMIT as u64);
    assert_eq!(wait_until(&server, is_limit_reached).waits, 0);
    upstream.wait_for(LIMIT);
    // Another target has separate permits.
    let (other, elsewhere) = Upstream::start();
    let answer = Client::connect(addr).request(get(&format!("/ask/{elsewhere}?path=/flaky/0")));
    assert_eq!((answer.status, other.requests(), upstream.requests()), (200, 1, LIMIT));
    drop(guard);
    assert!(clients.into_iter().all(|client| client.join().unwrap() == 200));
    let state = upstream.state.lock().unwrap();
    assert_eq!((state.max_in_flight, state.requests), (LIMIT, REQUESTS));
    drop(state);
    let http = wait_until(&server, |http| http.in_flight == 0);
    assert_eq!((http.waiting, http.waits, http.left), (0, (REQUESTS - LIMIT) as u64, 0));
    assert!(http.waited_ns > 0);
    let captures = collector.wait_for(REQUESTS + 1);
    let queued = captures.iter().filter(|capture| {
        effect_events(capture) == ["attempt 1", "queued for its target", "started", "completed"]
    });
    assert_eq!(queued.count(), REQUESTS - LIMIT);
    server.stop();
}

#[test]
fn an_effect_is_queued_for_half_of_the_time_until_its_deadline() {
    let (upstream, to) = Upstream::start();
    let (server, collector) = start(app(1));
    let guard = OpenOnDrop(Arc::clone(&upstream));
    let mut first = Client::connect(server.addr());
    first.send(get(&format!("/ask/{to}?path=/blocked")));
    upstream.wait_for(1);
    let mut second = Client::connect(server.addr());
    // Repeated, because the deadline passes first if the machine stalls.
    let captures = (1..20).find_map(|requests| {
        second.request(get(&format!("/hurried/{to}?path=/blocked")));
        let captures = collector.wait_for(requests);
        matches!(captures[requests - 1].outcome, Outcome::Failed(_)).then_some(captures)
    });
    let capture = captures.expect("this machine is too slow").pop().unwrap();
    let outcome = format!("{:?}", capture.outcome);
    assert!(outcome.contains("half of the time until the deadline"), "{outcome}");
    assert_eq!(effect_events(&capture), ["attempt 1", "queued for its target", "completed"]);
    let http = wait_until(&server, |http| http.left >= 1);
    assert_eq!((http.waiting, http.in_flight, upstream.requests()), (0, 1, 1));
    drop(guard);
    assert_eq!(first.answer().unwrap().status, 200);
    assert_eq!(second.request(get(&format!("/ask/{to}?path=/blocked"))).status, 200);
    server.stop();
}

#[test]
fn a_client_that_leaves_frees_its_place_in_the_queue() {
    let (upstream, to) = Upstream::start();
    let (server, collector) = start(app(1));
    let guard = OpenOnDrop(Arc::clone(&upstream));
    let mut first = Client::connect(server.addr());
    first.send(get(&format!("/ask/{to}?path=/blocked")));
    upstream.wait_for(1);
    let mut gone = Client::connect(server.addr());
    gone.send(get(&format!("/ask/{to}?path=/blocked")));
    wait_until(&server, |http| http.waiting == 1);
    drop(gone);
    assert_eq!(collector.one().outcome, Outcome::ClientLeft { step: 0 });
    let http = wait_until(&server, |http| http.waiting == 0);
    assert_eq!((http.left, http.in_flight), (1, 1));
    drop(guard);
    assert_eq!(first.answer().unwrap().status, 200);
    assert_eq!(Client::connect(server.addr()).request(get(&format!("/ask/{to}?path=/blocked"))).status, 200);
    assert_eq!(upstream.requests(), 2);
    server.stop();
}
