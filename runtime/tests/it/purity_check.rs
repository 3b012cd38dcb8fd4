//! The purity check: each step runs twice, each impure step is reported once, and the request uses the first run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use zerver::effects::{http, kv};
use zerver::prelude::*;
use zerver::{ImpureStep, StartOptions};

use crate::raw_client::{Client, get};

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// Returns the next number. A step that calls this is impure.
fn next_number() -> u64 {
    COUNTER.fetch_add(1, Ordering::SeqCst)
}

fn is_even() -> bool {
    next_number().is_multiple_of(2)
}

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
struct Seen {
    at: u64,
    same: u64,
}

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
#[slot(secret)]
struct Secret(String);

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
struct Counted(i64);

#[step]
fn pure() -> Counted {
    Counted(7)
}

#[step]
fn writes() -> Seen {
    Seen { at: next_number(), same: 1 }
}

#[step]
fn writes_secret() -> Secret {
    Secret(format!("canary-{}", next_number()))
}

#[step]
fn decides(_counted: &Counted) -> Result<(), Failure> {
    if is_even() { Err(Failure::conflict("look", 1)) } else { Ok(()) }
}

#[step]
fn adds() -> Decision<Seen> {
    Need(kv::add(("look", next_number()), 1).map(|_| Seen { at: 0, same: 1 }))
}

/// Requests the same effects in both runs, but its closures are impure.
#[step]
fn maps(request: &Request) -> Decision<Counted> {
    let add = kv::add("count", 1);
    if request.uri.path() == "/then" {
        return Need(add.and_then(|_| kv::add(("then", next_number()), 1)).map(Counted));
    }
    Need(add.map(|_| Counted(next_number() as i64)))
}

/// Sends a request to a port on which nothing listens, and retries it.
#[step]
fn retries() -> Decision<Counted> {
    let retry = Retry::attempts(3).pause(1.millis(), 1.millis());
    Need(http::get("http://127.0.0.1:1/").ok().retry(retry).optional().map(|_| Counted(1)))
}

#[step]
fn yields(so_far: Option<u64>) -> Decision<Counted, u64> {
    match so_far {
        None => Yield(next_number()),
        Some(_) => Continue(Counted(1)),
    }
}

#[step]
fn panics() -> Counted {
    assert!(!is_even(), "in the second run");
    Counted(1)
}

#[step]
fn panics_always(request: &Request) -> Counted {
    panic!("on purpose: {}", request.uri)
}

#[step]
fn answers_seen(seen: &Seen) -> Response {
    Response::json(seen)
}

#[step]
fn answers() -> Response {
    Response::text("fine")
}

#[step]
fn answers_number() -> Response {
    Response::text(next_number().to_string())
}

fn app() -> App {
    App::new()
        .flow(flow!("fine", GET "/fine", steps: [pure, answers]))
        .flow(flow!("always", GET "/always", steps: [panics_always, answers]))
        .flow(flow!("writes", GET "/writes", steps: [writes, answers_seen]))
        .flow(flow!("secret", GET "/secret", steps: [writes_secret, answers]))
        .flow(flow!("decides", GET "/decides", steps: [pure, decides, answers]))
        .flow(flow!("adds", GET "/adds", steps: [adds, answers]))
        .flow(flow!("map", GET "/map", steps: [maps, answers]))
        .flow(flow!("then", GET "/then", steps: [maps, answers]))
        .flow(flow!("again", GET "/again", steps: [retries, answers]))
        .flow(flow!("yields", GET "/yields", steps: [yields, answers]))
        .flow(flow!("panics", GET "/panics", steps: [panics, answers]))
        .flow(flow!("looks", GET "/looks", steps: [answers_number]))
}

/// Sends requests to a new service. Returns the body of the last answer, and the steps that were reported. The first number is
/// odd.
fn serve(target: &str, requests: usize) -> (String, Vec<ImpureStep>) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    COUNTER.store(1, Ordering::SeqCst);
    let reported = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reported);
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        on_impure_step: Some(Arc::new(move |impure| sink.lock().unwrap().push(ImpureStep::clone(impure)))),
        ..StartOptions::default()
    };
    let server = app().workers(1).start(options).unwrap();
    let mut client = Client::connect(server.addr());
    let answers: Vec<_> = (0..requests).map(|_| client.request(get(target)).body).collect();
    server.stop();
    let reported = reported.lock().unwrap().clone();
    (answers.into_iter().next_back().unwrap(), reported)
}

/// Returns the reports of one request, without source locations.
fn report(target: &str) -> String {
    let (_, reported) = serve(target, 1);
    let format = |impure: &ImpureStep| {
        assert!(impure.file.ends_with("purity_check.rs") && impure.line > 1, "{impure:?}");
        impure.to_string().replace(&format!(" ({}:{})", impure.file, impure.line), "")
    };
    reported.iter().map(format).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_pure_step_is_not_reported() {
    assert_eq!(serve("/fine", 2), ("fine".to_owned(), vec![]));
    assert_eq!(serve("/again", 1), ("fine".to_owned(), vec![]));
    // A panic in the first run is not reported as impure.
    assert_eq!(serve("/always", 1).1, vec![]);
}

#[test]
fn each_kind_of_impurity_is_reported() {
    let check = |target: &str, expected: &str| assert_eq!(report(target), expected, "{target}");
    check("/writes", "step writes of flow writes gave different results in two runs: Seen.at: 1, then 2");
    check(
        "/secret",
        "step writes_secret of flow secret gave different results in two runs: Secret: ●●●● (secret), then ●●●● (secret)",
    );
    check(
        "/adds",
        "step adds of flow adds gave different results in two runs: kv add 1 to look:1 arguments.Add.key: \"look:1\", then \"look:2\"",
    );
    check("/map", "step maps of flow map gave different results in two runs: Counted: 1, then 2");
    check("/yields", "step yields of flow yields gave different results in two runs: progress: 1, then 2");
    check(
        "/looks",
        "step answers_number of flow looks gave different results in two runs: response.body: 1, then 2",
    );
    for (target, part) in [
        (
            "/decides",
            "step decides of flow decides gave different results in two runs: decision: continue, then fail",
        ),
        ("/then", "step maps of flow then gave different results in two runs: kv add 1 to then:1"),
        (
            "/panics",
            "step panics of flow panics gave different results in two runs: decision: continue, then panic",
        ),
    ] {
        let report = report(target);
        assert!(report.starts_with(part), "{report}");
    }
}

#[test]
fn the_first_run_is_used_and_a_step_is_reported_once() {
    let (body, reported) = serve("/writes", 3);
    // The third request takes the numbers 5 and 6.
    assert_eq!((body.as_str(), reported.len()), (r#"{"at":5,"same":1}"#, 1));
}
