//! Steps that run twice: those that are not the same are named, once, and what they did first counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use zerver::effects::{http, kv};
use zerver::prelude::*;
use zerver::{ImpureStep, StartOptions};

use crate::raw_client::{Client, get};

static LOOKS: AtomicU64 = AtomicU64::new(1);

/// What no step may look at: it is never the same twice, and even at every second look.
fn look() -> u64 {
    LOOKS.fetch_add(1, Ordering::SeqCst)
}

fn is_even() -> bool {
    look().is_multiple_of(2)
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
    Seen { at: look(), same: 1 }
}

#[step]
fn writes_secret() -> Secret {
    Secret(format!("canary-{}", look()))
}

#[step]
fn decides(_counted: &Counted) -> Result<(), Failure> {
    if is_even() { Err(Failure::conflict("look", 1)) } else { Ok(()) }
}

#[step]
fn asks() -> Decision<Seen> {
    Need(kv::add(("look", look()), 1).map(|_| Seen { at: 0, same: 1 }))
}

/// Pure as far as what it asks for; its closures are not.
#[step]
fn goes_on(request: &Request) -> Decision<Counted> {
    let asked = kv::add("asked", 1);
    if request.uri.path() == "/then" {
        return Need(asked.and_then(|_| kv::add(("then", look()), 1)).map(Counted));
    }
    Need(asked.map(|_| Counted(look() as i64)))
}

/// Asks where nobody listens.
#[step]
fn tries_again() -> Decision<Counted> {
    let retry = Retry::attempts(3).pause(1.millis(), 1.millis());
    Need(http::get("http://127.0.0.1:1/").ok().retry(retry).optional().map(|_| Counted(1)))
}

#[step]
fn yields(so_far: Option<u64>) -> Decision<Counted, u64> {
    match so_far {
        None => Yield(look()),
        Some(_) => Continue(Counted(1)),
    }
}

#[step]
fn panics() -> Counted {
    assert!(!is_even(), "the second time");
    Counted(1)
}

#[step]
fn panics_always(request: &Request) -> Counted {
    panic!("as ever: {}", request.uri)
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
fn answers_look() -> Response {
    Response::text(look().to_string())
}

fn app() -> App {
    App::new()
        .flow(flow!("fine", GET "/fine", steps: [pure, answers]))
        .flow(flow!("always", GET "/always", steps: [panics_always, answers]))
        .flow(flow!("writes", GET "/writes", steps: [writes, answers_seen]))
        .flow(flow!("secret", GET "/secret", steps: [writes_secret, answers]))
        .flow(flow!("decides", GET "/decides", steps: [pure, decides, answers]))
        .flow(flow!("asks", GET "/asks", steps: [asks, answers]))
        .flow(flow!("map", GET "/map", steps: [goes_on, answers]))
        .flow(flow!("then", GET "/then", steps: [goes_on, answers]))
        .flow(flow!("again", GET "/again", steps: [tries_again, answers]))
        .flow(flow!("yields", GET "/yields", steps: [yields, answers]))
        .flow(flow!("panics", GET "/panics", steps: [panics, answers]))
        .flow(flow!("looks", GET "/looks", steps: [answers_look]))
}

/// Asks so often, and gives the last answer and what was named. The next look is odd.
fn ask(target: &str, times: usize) -> (String, Vec<ImpureStep>) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    LOOKS.store(1, Ordering::SeqCst);
    let named = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&named);
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        on_impure_step: Some(Arc::new(move |impure| tell.lock().unwrap().push(ImpureStep::clone(impure)))),
        ..StartOptions::default()
    };
    let server = app().workers(1).start(options).unwrap();
    let mut client = Client::connect(server.addr());
    let answers: Vec<_> = (0..times).map(|_| client.ask(get(target)).body).collect();
    server.stop();
    let named = named.lock().unwrap().clone();
    (answers.into_iter().next_back().unwrap(), named)
}

/// What is said of it, without the line.
fn said(target: &str) -> String {
    let (_, named) = ask(target, 1);
    let one = |impure: &ImpureStep| {
        assert!(impure.file.ends_with("purity_check.rs") && impure.line > 1, "{impure:?}");
        impure.to_string().replace(&format!(" ({}:{})", impure.file, impure.line), "")
    };
    named.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_the_same_twice_is_not_named() {
    assert_eq!(ask("/fine", 2), ("fine".to_owned(), vec![]));
    assert_eq!(ask("/again", 1), ("fine".to_owned(), vec![]));
    // A panic is named as that.
    assert_eq!(ask("/always", 1).1, vec![]);
}

#[test]
fn each_way_of_being_impure_is_named() {
    let check = |target: &str, wanted: &str| assert_eq!(said(target), wanted, "{target}");
    check("/writes", "step writes of flow writes gave different results in two runs: Seen.at: 1, then 2");
    check(
        "/secret",
        "step writes_secret of flow secret gave different results in two runs: Secret: ●●●● (secret), then ●●●● (secret)",
    );
    check(
        "/asks",
        "step asks of flow asks gave different results in two runs: kv add 1 to look:1 arguments.Add.key: \"look:1\", then \"look:2\"",
    );
    check("/map", "step goes_on of flow map gave different results in two runs: Counted: 1, then 2");
    check("/yields", "step yields of flow yields gave different results in two runs: progress: 1, then 2");
    check(
        "/looks",
        "step answers_look of flow looks gave different results in two runs: response.body: 1, then 2",
    );
    for (target, part) in [
        (
            "/decides",
            "step decides of flow decides gave different results in two runs: decision: continue, then fail",
        ),
        ("/then", "step goes_on of flow then gave different results in two runs: kv add 1 to then:1"),
        (
            "/panics",
            "step panics of flow panics gave different results in two runs: decision: continue, then panic",
        ),
    ] {
        let said = said(target);
        assert!(said.starts_with(part), "{said}");
    }
}

#[test]
fn the_first_run_counts_and_a_step_is_named_once() {
    let (body, named) = ask("/writes", 3);
    // Of three requests with two looks each.
    assert_eq!((body.as_str(), named.len()), (r#"{"at":5,"same":1}"#, 1));
}
