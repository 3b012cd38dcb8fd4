//! Async functions as effects.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use zerver::StartError;
use zerver::effects::EffectContext;
use zerver::engine::Step as _;
use zerver::prelude::*;
use zerver_trace::{Answer, Capture, Event, SharedValue, Value};

use crate::collector::start;
use crate::raw_client::{Client, get};

/// A bank that counts the calls.
#[derive(Clone, Default)]
struct Bank {
    calls: Arc<AtomicU32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Receipt {
    card: String,
    cents: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Declined {
    InsufficientFunds { missing: u64 },
    Busy,
    UnknownCard,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsufficientFunds { missing } => write!(f, "{missing} cents are missing"),
            Self::Busy => f.write_str("the bank is busy"),
            Self::UnknownCard => f.write_str("no such card"),
        }
    }
}

impl std::error::Error for Declined {}

impl From<Declined> for Failure {
    fn from(error: Declined) -> Self {
        match error {
            Declined::UnknownCard => Failure::not_found("card", "1"),
            other => Failure::unprocessable("payment").message(other),
        }
    }
}

fn is_busy(error: &Declined) -> bool {
    *error == Declined::Busy
}

/// Charges a card.
#[effect(
    kind = "charge",
    idempotent,
    temporary = is_busy,
    target = "bank.example:443",
    summary = format!("{cents} cents of {card}")
)]
async fn charge(
    #[resource] bank: &Bank,
    #[context] context: &EffectContext,
    card: &str,
    cents: u64,
) -> Result<Receipt, Declined> {
    assert!(context.request_id.is_some());
    let call = bank.calls.fetch_add(1, Ordering::SeqCst);
    tokio::task::yield_now().await;
    match card {
        "poor" => Err(Declined::InsufficientFunds { missing: cents }),
        "busy" if call == 0 => Err(Declined::Busy),
        "unknown" => Err(Declined::UnknownCard),
        card => Ok(Receipt { card: card.to_owned(), cents }),
    }
}

#[effect]
async fn read_setting(name: String) -> std::io::Result<String> {
    if name == "missing" { Err(std::io::Error::other("no such setting")) } else { Ok(name.to_uppercase()) }
}

#[effect(safe)]
async fn double(number: u32) -> u32 {
    number * 2
}

#[effect]
async fn reject(reason: &str) -> Result<(), String> {
    Err(reason.to_owned())
}

#[effect]
async fn unreachable_bank() -> Result<u32, EffectError> {
    Err(EffectError::new(EffectErrorKind::Unreachable, "no route"))
}

#[slot]
struct Paid(Receipt);

#[step]
fn pay(request: &Request) -> Decision<Paid> {
    Need(charge(request.param_str("card").unwrap(), 1250).retry(Retry::attempts(2)).map(Paid))
}

#[step]
fn thank(paid: &Paid) -> Response {
    Response::text(format!("{} {}", paid.0.card, paid.0.cents))
}

#[slot]
struct Text(String);

#[step]
fn try_to_pay(request: &Request) -> Decision<Text> {
    Need(charge(request.param_str("card").unwrap(), 5).catch::<Declined>().map(|result| match result {
        Ok(receipt) => Text(receipt.card),
        Err(Declined::InsufficientFunds { missing }) => Text(format!("{missing} short")),
        Err(other) => Text(other.to_string()),
    }))
}

#[step]
fn other_functions(request: &Request) -> Decision<Text> {
    let name = request.param_str("name").unwrap().to_owned();
    Need(match &*name {
        "rejected" => reject("because").map(|()| Text(String::new())),
        "unreachable" => unreachable_bank().map(|_| Text(String::new())),
        _ => all((read_setting(name), double(21))).map(|(text, number)| Text(format!("{text} {number}"))),
    })
}

#[step]
fn show(text: &Text) -> Response {
    Response::text(text.0.clone())
}

fn app() -> App {
    App::new()
        .effect::<charge>()
        .effect::<read_setting>()
        .effect::<double>()
        .effect::<reject>()
        .effect::<unreachable_bank>()
        .flow(flow!("pay", GET "/pay/{card}", steps: [pay, thank]))
        .flow(flow!("try", GET "/try/{card}", steps: [try_to_pay, show]))
        .flow(flow!("other", GET "/other/{name}", steps: [other_functions, show]))
}

fn answers(capture: &Capture) -> Vec<String> {
    let answer = |event: &Event<SharedValue>| match event {
        Event::EffectCompleted { answer: Answer::Ok(output), .. } => {
            Some(Value::from_recordable(&**output).unwrap().to_string())
        }
        Event::EffectCompleted { answer: Answer::Err(error), .. } => Some(error.to_string()),
        _ => None,
    };
    capture.events.iter().filter_map(answer).collect()
}

#[test]
fn a_function_is_performed_with_its_resources() {
    let bank = Bank::default();
    let (server, collector) = start(app().resource(bank.clone()));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/pay/ann")).body, "ann 1250");
    assert_eq!(bank.calls.load(Ordering::SeqCst), 1);
    assert_eq!(answers(&collector.one()), [r#"Ok {card: "ann", cents: 1250}"#]);
    assert_eq!(client.request(get("/other/setting")).body, "SETTING 42");
}

#[test]
fn an_error_comes_back_as_its_type() {
    let (server, collector) = start(app().resource(Bank::default()));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/try/poor")).body, "5 short");
    assert_eq!(client.request(get("/try/unknown")).body, "no such card");
    let failed = client.request(get("/pay/poor"));
    assert_eq!(failed.status, 422, "{}", failed.body);
    assert!(failed.body.contains("1250 cents are missing"), "{}", failed.body);
    assert_eq!(client.request(get("/pay/unknown")).status, 404);
    let captures = collector.wait_for(4);
    let recorded = answers(&captures[0]);
    assert!(recorded[0].contains("InsufficientFunds") && recorded[0].contains("5 cents"), "{recorded:?}");
}

#[test]
fn a_temporary_error_is_retried() {
    let bank = Bank::default();
    let (server, collector) = start(app().resource(bank.clone()));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/pay/busy")).body, "busy 1250");
    assert_eq!(bank.calls.load(Ordering::SeqCst), 2);
    assert_eq!(answers(&collector.one()).len(), 2);
}

#[test]
fn errors_without_a_value_are_recorded_as_text() {
    let (server, collector) = start(app().resource(Bank::default()));
    let mut client = Client::connect(server.addr());
    let cases = [
        ("/other/missing", 500, "no such setting"),
        ("/other/rejected", 500, "because"),
        ("/other/unreachable", 503, "unreachable: no route"),
    ];
    for (at, (path, status, recorded)) in cases.into_iter().enumerate() {
        assert_eq!(client.request(get(path)).status, status, "{path}");
        let captures = collector.wait_for(at + 1);
        let last = &captures[at];
        assert!(answers(last).iter().any(|answer| answer.contains(recorded)), "{:?}", answers(last));
    }
}

#[test]
fn a_missing_resource_and_a_second_kind_of_the_same_name_are_refused_at_start() {
    let options = || zerver::StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..Default::default() };
    let error = app().start(options()).unwrap_err();
    assert!(matches!(error, StartError::Resource(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("effect charge takes a resource of type") && text.contains("Bank"), "{text}");

    #[effect(kind = "kv")]
    async fn own_kv() {}
    let error = App::new().effect::<own_kv>().start(options()).unwrap_err();
    assert!(matches!(error, StartError::DuplicateEffectKind { kind: "kv" }), "{error}");
}

#[test]
fn tests_answer_for_a_function() {
    let receipt = Receipt { card: "ann".to_owned(), cents: 9 };
    let paid = app().test("pay").get("/pay/ann").answer(charge("ann", 1250), receipt).run();
    assert_eq!(paid.text(), "ann 9");
    let short = Declined::InsufficientFunds { missing: 3 };
    let tried = app().test("try").get("/try/ann").answer_error(charge("ann", 5), short).run();
    assert_eq!(tried.text(), "3 short");
}

#[tokio::test]
async fn a_function_can_be_called_directly() {
    assert_eq!(double::perform(4).await, 8);
    let call = zerver::engine::Call::new(double { number: 1 });
    assert!(call.is_safe() && call.is_idempotent() && call.target().is_none());
    let call = zerver::engine::Call::new(charge { card: "c".to_owned(), cents: 7 });
    assert_eq!(format!("{call:?}"), "charge 7 cents of c");
    assert_eq!(call.target().as_deref(), Some("bank.example:443"));
    assert!(call.is_idempotent() && !call.is_safe());
    assert_eq!(pay::DESC.name, "pay");
}
