//! Policies of targets, hedges and alternatives over real sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use zerver::effects::{any, http};
use zerver::prelude::*;
use zerver::{Egress, Places, TargetPolicy};
use zerver_replay::{ServiceMetrics, TargetMetrics};
use zerver_trace::{Answer, Capture, Event};

use crate::collector::start;
use crate::raw_client::{Client, get};

/// Behavior of the upstream for a request.
pub(crate) enum Reply {
    Text(String),
    /// Closes the connection.
    Close,
    /// Answers nothing for as long as the connection lives.
    Silence,
}

pub(crate) fn reply(status: u16, headers: &str) -> Reply {
    Reply::Text(format!("HTTP/1.1 {status} Status\r\n{headers}content-length: 1\r\n\r\n7"))
}

/// Serves requests with `answer`, which gets the number of the request, and its head. Returns the address and the heads of
/// all requests.
pub(crate) fn upstream(
    answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, heads) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let (of_thread, answer, count) = (Arc::clone(&heads), Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let (heads, answer, count) = (Arc::clone(&of_thread), Arc::clone(&answer), Arc::clone(&count));
            thread::spawn(move || {
                serve(socket, &heads, |head| answer(count.fetch_add(1, Ordering::SeqCst), head))
            });
        }
    });
    (addr, heads)
}

fn serve(mut socket: TcpStream, heads: &Mutex<Vec<String>>, answer: impl Fn(&str) -> Reply) {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = socket.read(&mut buffer) {
        head.extend_from_slice(&buffer[..read]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        head.clear();
        heads.lock().unwrap().push(text.clone());
        match answer(&text) {
            Reply::Text(text) if socket.write_all(text.as_bytes()).is_ok() => {}
            Reply::Silence => {}
            Reply::Text(_) | Reply::Close => return,
        }
    }
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Figures(u32);

fn url(request: &Request) -> Result<String, Failure> {
    Ok(format!("http://{}/", request.param::<String>("to")?))
}

#[step]
fn ask(request: &Request) -> Result<Decision<Figures>, Failure> {
    Ok(Need(http::get(url(request)?).json().map(Figures)))
}

#[step]
fn retry(request: &Request) -> Result<Decision<Figures>, Failure> {
    let retry = Retry::attempts(3).pause(1.millis(), 1.millis());
    Ok(Need(http::get(url(request)?).json().retry(retry).map(Figures)))
}

#[step]
fn post(request: &Request) -> Result<Decision<Figures>, Failure> {
    let retry = Retry::attempts(3).pause(1.millis(), 1.millis());
    Ok(Need(http::post(url(request)?).idempotent().json().retry(retry).map(Figures)))
}

#[step]
fn hedge(request: &Request) -> Result<Decision<Figures>, Failure> {
    Ok(Need(http::get(url(request)?).json().hedge(Hedge::after(5.millis())).map(Figures)))
}

#[step]
fn first(request: &Request) -> Result<Decision<Figures>, Failure> {
    let silent = http::get(url(request)?).query("silent", 1).json();
    Ok(Need(any([silent, http::get(url(request)?).json()]).map(Figures)))
}

#[step]
fn show(figures: &Figures) -> Response {
    Response::text(figures.0.to_string())
}

/// A policy whose breaker opens at the fifth failure in a row, however soon it follows.
fn impatient() -> TargetPolicy {
    TargetPolicy { failing_for: Duration::ZERO, ..TargetPolicy::default() }
}

fn app() -> App {
    App::new()
        .flow(flow!("ask", GET "/ask/{to}", steps: [ask, show]))
        .flow(flow!("retry", GET "/retry/{to}", steps: [retry, show]))
        .flow(flow!("post", GET "/post/{to}", steps: [post, show]))
        .flow(flow!("hedge", GET "/hedge/{to}", steps: [hedge, show]))
        .flow(flow!("first", GET "/first/{to}", steps: [first, show]))
        .flow(flow!("hurried", GET "/hurried/{to}", steps: [ask, show]).deadline(30.millis()))
}

/// Describes the effects of a request: attempts, queues, decisions and ends.
fn story(capture: &Capture) -> String {
    let describe = |event: &Event<_>| match event {
        Event::EffectRequested { attempt, .. } => Some(format!("attempt {attempt}")),
        Event::EffectQueued { reason, .. } => Some(format!("queued: {}", reason.as_str())),
        Event::PolicyDecided { decision, .. } => Some(decision.as_str().to_owned()),
        Event::EffectCompleted { answer: Answer::Canceled, .. } => Some("canceled".to_owned()),
        Event::EffectCompleted { answer: Answer::Err(error), .. } => Some(error.kind.as_str().to_owned()),
        Event::EffectCompleted { answer: Answer::Ok(_), .. } => Some("answered".to_owned()),
        _ => None,
    };
    capture.events.iter().filter_map(describe).collect::<Vec<_>>().join(", ")
}

fn target(client: &mut Client) -> TargetMetrics {
    let answer =
        client.request("GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n");
    let metrics: ServiceMetrics = serde_json::from_str(&answer.body).unwrap();
    metrics.targets.into_iter().next().unwrap()
}

/// Sends requests one after another, and returns their statuses and stories.
fn run(app: App, paths: &[String]) -> (Vec<u16>, Vec<String>, TargetMetrics) {
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    let mut statuses = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        statuses.push(client.request(get(path)).status);
        collector.wait_for(at + 1);
    }
    let stories = collector.wait_for(paths.len()).iter().map(|capture| story(capture)).collect();
    let metrics = target(&mut client);
    server.stop();
    (statuses, stories, metrics)
}

#[test]
fn a_breaker_that_has_opened_answers_by_itself() {
    let (to, heads) = upstream(|_, _| reply(503, ""));
    let paths = vec![format!("/ask/{to}"); 7];
    let (statuses, stories, metrics) = run(app().target("default", impatient()), &paths);
    assert_eq!(statuses, [502, 502, 502, 502, 502, 503, 503]);
    assert_eq!(stories[3], "attempt 1, answered");
    assert_eq!(stories[4], "attempt 1, breaker_opened, answered");
    assert_eq!(stories[5], "attempt 1, breaker_refused, refused");
    assert_eq!(heads.lock().unwrap().len(), 5, "the target was left alone");
    assert_eq!((metrics.breaker.as_str(), metrics.opened, metrics.breaker_refusals), ("open", 1, 2));
    assert_eq!((metrics.in_flight, metrics.target), (0, to.to_string()));
}

#[test]
fn a_breaker_closes_when_a_probe_succeeds() {
    let (to, _) = upstream(|number, _| reply(if number < 5 { 503 } else { 200 }, ""));
    let millisecond = Duration::from_millis(1);
    let policy = TargetPolicy { open: millisecond, open_max: millisecond, ..impatient() };
    let (server, collector) = start(app().target(to.to_string(), policy));
    let mut client = Client::connect(server.addr());
    let (mut sent, mut succeeded) = (0, 0);
    while succeeded < 4 {
        sent += 1;
        succeeded += usize::from(client.request(get(&format!("/ask/{to}"))).status == 200);
    }
    let stories: Vec<_> = collector.wait_for(sent).iter().map(|capture| story(capture)).collect();
    let probes = stories.iter().filter(|story| story.contains("breaker_probe")).count();
    assert_eq!(probes, 1, "{stories:?}");
    let has_closed = |story: &String| {
        story.starts_with("attempt 1, breaker_probe") && story.ends_with("breaker_closed, answered")
    };
    assert!(stories.iter().any(has_closed), "{stories:?}");
    assert_eq!(stories.last().unwrap(), "attempt 1, answered");
    assert_eq!(target(&mut client).breaker, "closed");
    server.stop();
}

#[test]
fn errors_that_the_client_causes_and_other_targets_do_not_open_a_breaker() {
    let (to, heads) = upstream(|_, _| reply(404, ""));
    let (statuses, ..) = run(app(), &vec![format!("/ask/{to}"); 8]);
    assert!(statuses.iter().all(|status| *status == 502), "{statuses:?}");
    assert_eq!(heads.lock().unwrap().len(), 8);
}

#[test]
fn a_target_that_never_answers_opens_the_breaker_when_deadlines_pass() {
    let (to, heads) = upstream(|_, _| Reply::Silence);
    let app = app().target("default", impatient());
    // A call that has not begun when its deadline passes says nothing, so on a busy machine more than five are needed.
    let (statuses, stories, metrics) = run(app, &vec![format!("/hurried/{to}"); 20]);
    let failed = statuses.iter().take_while(|status| **status == 504).count();
    assert!((5..20).contains(&failed) && statuses[failed] == 503, "{stories:?}");
    let reached = heads.lock().unwrap().len();
    let timeouts = statuses.iter().filter(|status| **status == 504).count();
    assert!((5..=timeouts).contains(&reached) && metrics.opened >= 1, "{stories:?}");
    assert!(stories[failed].contains("breaker_refused"), "{stories:?}");
}

#[test]
fn retries_end_with_the_budget() {
    let (to, heads) = upstream(|_, _| reply(504, ""));
    let policy =
        TargetPolicy { failures: 0, failure_rate: 0.0, retry_budget: 0.0, ..TargetPolicy::default() };
    let (_, stories, metrics) = run(app().target("default", policy), &vec![format!("/retry/{to}"); 3]);
    assert_eq!(
        stories[0],
        "attempt 1, answered, attempt 2, queued: retry_delay, answered, attempt 3, \
                            queued: retry_delay, answered"
    );
    let exhausted = stories.iter().filter(|story| story.ends_with("answered, budget_exhausted")).count();
    // The budget of three per second is used up, unless seconds pass.
    assert!(exhausted >= 1, "{stories:?}");
    assert_eq!(metrics.budget_refusals, exhausted as u64);
    assert_eq!(heads.lock().unwrap().len() as u64, 3 + metrics.retries);
}

#[test]
fn the_policy_of_a_target_repeats_calls_whose_effect_says_nothing() {
    let (to, heads) = upstream(|number, _| reply(if number < 2 { 503 } else { 200 }, ""));
    let policy = TargetPolicy { attempts: 3, pause: Duration::from_millis(1), ..TargetPolicy::default() };
    let (statuses, stories, _) = run(app().target("default", policy), &[format!("/ask/{to}")]);
    assert_eq!((statuses[0], heads.lock().unwrap().len()), (200, 3));
    let expected = "attempt 1, answered, attempt 2, retried, queued: retry_delay, answered, attempt 3, \
                    retried, queued: retry_delay, answered";
    assert_eq!(stories[0], expected);
}

#[test]
fn the_time_that_a_target_asks_for_is_obeyed_if_there_is_enough() {
    let (to, heads) = upstream(|number, _| reply(if number == 0 { 503 } else { 200 }, "retry-after: 1\r\n"));
    let (statuses, stories, _) = run(app(), &[format!("/retry/{to}")]);
    assert_eq!((statuses[0], heads.lock().unwrap().len()), (200, 2));
    assert_eq!(
        stories[0],
        "attempt 1, answered, attempt 2, retry_after_obeyed, queued: retry_delay, answered"
    );
    let (to, heads) = upstream(|_, _| reply(503, "retry-after: 6\r\n"));
    let (statuses, stories, _) = run(app(), &[format!("/retry/{to}")]);
    assert_eq!((statuses[0], heads.lock().unwrap().len()), (502, 1), "five seconds are the limit");
    assert_eq!(stories[0], "attempt 1, answered, retry_after_too_long");
}

#[test]
fn a_rate_limit_delays_calls_and_refuses_those_that_cannot_wait() {
    let (to, heads) = upstream(|_, _| reply(200, ""));
    let policy = TargetPolicy { rate: 10.0, ..TargetPolicy::default() };
    let paths = [format!("/ask/{to}"), format!("/ask/{to}"), format!("/hurried/{to}")];
    let (statuses, stories, metrics) = run(app().target("default", policy), &paths);
    assert_eq!(statuses, [200, 200, 503], "{stories:?}");
    assert_eq!(stories[1], "attempt 1, queued: rate, answered");
    assert_eq!(stories[2], "attempt 1, rate_refused, refused");
    assert_eq!((heads.lock().unwrap().len(), metrics.rate_waits, metrics.rate_refusals), (2, 1, 1));
}

#[test]
fn a_target_has_a_time_limit_and_places_of_its_own() {
    let (to, _) = upstream(|_, _| Reply::Silence);
    let policy = TargetPolicy {
        timeout: Some(Duration::from_millis(20)),
        places: Places::Max(1),
        ..TargetPolicy::default()
    };
    let (statuses, stories, metrics) = run(app().target(to.to_string(), policy), &[format!("/ask/{to}")]);
    assert_eq!(statuses, [504]);
    assert_eq!(stories, ["attempt 1, target_timeout, timeout"]);
    assert_eq!(metrics.places, Some(1));
}

#[test]
fn the_second_call_of_a_hedge_answers_if_the_first_is_slow() {
    let (to, heads) = upstream(|number, _| if number == 0 { Reply::Silence } else { reply(200, "") });
    let (statuses, stories, _) = run(app(), &[format!("/hedge/{to}")]);
    assert_eq!((statuses[0], heads.lock().unwrap().len()), (200, 2));
    assert_eq!(stories[0], "attempt 1, attempt 2, queued: hedge, answered, canceled, hedge_won");
}

#[test]
fn the_first_of_several_answers_counts_and_the_other_call_is_canceled() {
    let (to, _) = upstream(|_, head| if head.contains("silent") { Reply::Silence } else { reply(200, "") });
    let (statuses, stories, metrics) = run(app(), &[format!("/first/{to}")]);
    assert_eq!((statuses[0], stories[0].as_str()), (200, "attempt 1, attempt 1, answered, canceled"));
    assert_eq!(metrics.in_flight, 0, "the connection was dropped");
}

#[test]
fn an_idempotent_post_sends_the_same_key_with_each_attempt() {
    let (to, heads) = upstream(|number, _| reply(if number % 3 < 2 { 503 } else { 200 }, ""));
    let policy = TargetPolicy { retry_budget: 1.0, ..TargetPolicy::default() };
    let (statuses, ..) = run(app().target("default", policy), &[format!("/post/{to}")]);
    assert_eq!(statuses, [200]);
    let heads = heads.lock().unwrap();
    let key = |head: &String| {
        let line = head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
        line.unwrap().to_owned()
    };
    let keys: Vec<_> = heads.iter().map(key).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]) && keys[0].ends_with("/0"), "{keys:?}");
}

#[test]
fn a_request_whose_pooled_connection_was_closed_is_sent_once_more() {
    let (to, heads) = upstream(|number, _| if number == 1 { Reply::Close } else { reply(200, "") });
    let (statuses, stories, _) = run(app(), &vec![format!("/ask/{to}"); 2]);
    assert_eq!((statuses.as_slice(), heads.lock().unwrap().len()), (&[200, 200][..], 3));
    assert_eq!(stories[1], "attempt 1, resent, answered");
    // A new connection that is closed without an answer is an ordinary failure.
    let (to, heads) = upstream(|_, _| Reply::Close);
    let (statuses, stories, _) = run(app(), &[format!("/ask/{to}")]);
    assert_eq!((statuses[0], heads.lock().unwrap().len()), (503, 1));
    assert_eq!(stories[0], "attempt 1, unreachable");
}

#[test]
fn addresses_that_are_not_allowed_are_not_connected_to() {
    let (to, heads) = upstream(|_, _| reply(200, ""));
    let named = format!("localhost:{}", to.port());
    let check = |egress: Egress, host: &str, allowed: bool| {
        let (statuses, stories, _) = run(app().egress(egress), &[format!("/ask/{host}")]);
        let expected =
            if allowed { (200, "attempt 1, answered") } else { (503, "attempt 1, egress_refused, refused") };
        assert_eq!((statuses[0], stories[0].as_str()), expected, "{host}");
    };
    let allow = |entries: &[&str]| Egress {
        allow: entries.iter().map(|e| (*e).to_owned()).collect(),
        ..Egress::default()
    };
    let addr = to.to_string();
    check(Egress::default(), &addr, true);
    check(Egress { private: false, ..Egress::default() }, &addr, false);
    check(Egress { private: false, ..Egress::default() }, &named, false);
    check(allow(&["127.0.0.1"]), &addr, true);
    check(allow(&["127.0.0.0/8", "::1"]), &named, true);
    check(allow(&["*.example.com"]), &addr, false);
    check(allow(&["localhost"]), &named, false);
    assert_eq!(heads.lock().unwrap().len(), 3);
}
