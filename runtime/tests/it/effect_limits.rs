//! Effects over real sockets: tried again where that is worth it, and never more at once than their target may be asked.

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

/// A service that others ask. It answers what a path says: `/held` once it is opened, `/flaky/2` after two failures.
#[derive(Default)]
struct Upstream {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    now: usize,
    most: usize,
    asked: usize,
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
                thread::spawn(move || upstream.converse(socket));
            }
        });
        (upstream, addr)
    }

    fn converse(&self, mut socket: TcpStream) {
        let (mut heard, mut some) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = socket.read(&mut some) {
            heard.extend_from_slice(&some[..read]);
            if !heard.ends_with(b"\r\n\r\n") {
                continue;
            }
            let status = self.answer(&String::from_utf8_lossy(&heard));
            heard.clear();
            let answer = format!("HTTP/1.1 {status} Told\r\ncontent-length: 1\r\n\r\n7");
            if socket.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, head: &str) -> u16 {
        let mut state = self.state.lock().unwrap();
        state.now += 1;
        state.most = state.most.max(state.now);
        let before = state.asked;
        state.asked += 1;
        self.changed.notify_all();
        let path = head.split(' ').nth(1).unwrap();
        let status = match path.strip_prefix("/flaky/") {
            Some(fails) => {
                if before < fails.parse().unwrap() {
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
        state.now -= 1;
        status
    }

    fn wait_for(&self, asked: usize) {
        let state = self.state.lock().unwrap();
        let (state, late) =
            self.changed.wait_timeout_while(state, PATIENCE, |state| state.asked < asked).unwrap();
        assert!(!late.timed_out(), "asked {} times instead of {asked}", state.asked);
    }

    fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    fn open(&self) {
        self.state.lock().unwrap().is_open = true;
        self.changed.notify_all();
    }
}

/// Opens it however a test ends.
struct Opens(Arc<Upstream>);

impl Drop for Opens {
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

fn measures(client: &mut Client) -> ServiceMetrics {
    let told = client.ask("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n");
    serde_json::from_str(&told.body).unwrap()
}

fn http(client: &mut Client) -> EffectMetrics {
    measures(client).effects.into_iter().find(|effect| effect.kind == "http").unwrap()
}

/// Asks until this is so.
fn wait_until(server: &Server, is: impl Fn(&EffectMetrics) -> bool) -> EffectMetrics {
    let mut client = Client::connect(server.addr());
    let until = Instant::now() + PATIENCE;
    loop {
        let http = http(&mut client);
        if is(&http) {
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

/// What became of the effect of a request, without times.
fn story(capture: &Capture) -> Vec<String> {
    let told = |event: &Event<_>| match event {
        Event::EffectRequested { attempt, .. } => Some(format!("asked {attempt}")),
        Event::EffectQueued { reason: by, .. } => Some(format!("held by its {}", by.as_str())),
        Event::EffectStarted { .. } => Some("begun".to_owned()),
        Event::EffectCompleted { answer: Answer::Cancelled, .. } => Some("cancelled".to_owned()),
        Event::EffectCompleted { .. } => Some("answered".to_owned()),
        _ => None,
    };
    capture.events.iter().filter_map(told).collect()
}

#[test]
fn what_fails_twice_is_answered_at_the_third_attempt() {
    let (upstream, to) = Upstream::start();
    let (server, collector) = start(app(256));
    let mut client = Client::connect(server.addr());
    let answer = client.ask(get(&format!("/ask/{to}?path=/flaky/2")));
    assert_eq!((answer.status, answer.body.as_str(), upstream.asked()), (200, "7", 3));
    let capture = collector.one();
    assert_eq!(attempts(&capture), [1, 2, 3]);
    let steps = measures(&mut client).steps;
    let retries =
        |name: &str| steps.iter().find(|step| step.name == name && step.flow == "ask").unwrap().retries;
    assert_eq!((retries("ask"), retries("show")), (2, 0));
    // A fourth is not made: the last answer is the failure.
    let (upstream, to) = Upstream::start();
    let answer = client.ask(get(&format!("/ask/{to}?path=/flaky/9")));
    assert_eq!((answer.status, upstream.asked()), (502, 3));
    let told = client.ask(get("/metrics")).body;
    let line = "zerver_step_retries_total{flow=\"ask\",step=\"ask\"} 4";
    assert!(told.lines().any(|told| told == line), "no {line} in\n{told}");
    server.stop();
}

#[test]
fn a_target_is_never_asked_by_more_than_may() {
    const MOST: usize = 2;
    const REQUESTS: usize = 10;
    let (upstream, to) = Upstream::start();
    let (server, collector) = start(app(MOST));
    let opens = Opens(Arc::clone(&upstream));
    let addr = server.addr();
    let clients: Vec<_> = (0..REQUESTS)
        .map(|_| {
            thread::spawn(move || Client::connect(addr).ask(get(&format!("/ask/{to}?path=/held"))).status)
        })
        .collect();
    let are_held =
        |http: &EffectMetrics| (http.waiting, http.in_flight) == ((REQUESTS - MOST) as u64, MOST as u64);
    assert_eq!(wait_until(&server, are_held).waits, 0);
    upstream.wait_for(MOST);
    // Another target is free.
    let (other, elsewhere) = Upstream::start();
    let answer = Client::connect(addr).ask(get(&format!("/ask/{elsewhere}?path=/flaky/0")));
    assert_eq!((answer.status, other.asked(), upstream.asked()), (200, 1, MOST));
    drop(opens);
    assert!(clients.into_iter().all(|client| client.join().unwrap() == 200));
    let state = upstream.state.lock().unwrap();
    assert_eq!((state.most, state.asked), (MOST, REQUESTS));
    drop(state);
    let http = wait_until(&server, |http| http.in_flight == 0);
    assert_eq!((http.waiting, http.waits, http.left), (0, (REQUESTS - MOST) as u64, 0));
    assert!(http.waited_ns > 0);
    let captures = collector.wait_for(REQUESTS + 1);
    let held = captures
        .iter()
        .filter(|capture| story(capture) == ["asked 1", "held by its target", "begun", "answered"]);
    assert_eq!(held.count(), REQUESTS - MOST);
    server.stop();
}

#[test]
fn the_deadline_holds_for_those_that_wait() {
    let (upstream, to) = Upstream::start();
    let (server, collector) = start(app(1));
    let opens = Opens(Arc::clone(&upstream));
    let mut first = Client::connect(server.addr());
    first.send(get(&format!("/ask/{to}?path=/held")));
    upstream.wait_for(1);
    let mut second = Client::connect(server.addr());
    // Where the machine stalls until the deadline, before it has asked for anything, nothing waits: then once more.
    let captures = (1..20).find_map(|asked| {
        assert_eq!(second.ask(get(&format!("/hurried/{to}?path=/held"))).status, 504);
        let captures = collector.wait_for(asked);
        (!story(&captures[asked - 1]).is_empty()).then_some(captures)
    });
    let capture = captures.expect("this machine is too slow").pop().unwrap();
    assert_eq!(capture.outcome, Outcome::TimedOut { step: 0 });
    assert_eq!(story(&capture), ["asked 1", "held by its target", "cancelled"]);
    let http = wait_until(&server, |http| http.left == 1);
    assert_eq!((http.waiting, http.in_flight, upstream.asked()), (0, 1, 1));
    drop(opens);
    assert_eq!(first.answer().unwrap().status, 200);
    assert_eq!(second.ask(get(&format!("/ask/{to}?path=/held"))).status, 200);
    server.stop();
}

#[test]
fn who_goes_away_frees_its_place() {
    let (upstream, to) = Upstream::start();
    let (server, collector) = start(app(1));
    let opens = Opens(Arc::clone(&upstream));
    let mut first = Client::connect(server.addr());
    first.send(get(&format!("/ask/{to}?path=/held")));
    upstream.wait_for(1);
    let mut gone = Client::connect(server.addr());
    gone.send(get(&format!("/ask/{to}?path=/held")));
    wait_until(&server, |http| http.waiting == 1);
    drop(gone);
    assert_eq!(collector.one().outcome, Outcome::Gone { step: 0 });
    let http = wait_until(&server, |http| http.waiting == 0);
    assert_eq!((http.left, http.in_flight), (1, 1));
    drop(opens);
    assert_eq!(first.answer().unwrap().status, 200);
    assert_eq!(Client::connect(server.addr()).ask(get(&format!("/ask/{to}?path=/held"))).status, 200);
    assert_eq!(upstream.asked(), 2);
    server.stop();
}
