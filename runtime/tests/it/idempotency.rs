//! Idempotent requests over real sockets.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;
use std::time::Duration;

use zerver::effects::{EffectContext, EffectResult as Performed, Interpreter, Started, kv};
use zerver::prelude::*;

use crate::collector::start;
use crate::raw_client::{Answer, Client, PATIENCE};

/// An effect that waits for the gate, and then counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pay(u32);

impl EffectKind for Pay {
    const KIND: &'static str = "pay";
    type Output = u32;
}

struct PayInterpreter {
    sender: Sender<()>,
    gate: Arc<tokio::sync::Semaphore>,
}

impl Interpreter<Pay> for PayInterpreter {
    fn start(&self, pay: &Pay, _: &EffectContext) -> Started<Performed<Pay>> {
        let (gate, sender, cents) = (Arc::clone(&self.gate), self.sender.clone(), pay.0);
        Started::Pending(Box::pin(async move {
            let mut place = pin!(gate.acquire());
            // Those that wait go on in the order in which the test learns of them.
            let first = poll_fn(|cx| Poll::Ready(place.as_mut().poll(cx))).await;
            sender.send(()).unwrap();
            let permit = match first {
                Poll::Ready(permit) => permit,
                Poll::Pending => place.await,
            };
            permit.unwrap().forget();
            Ok(cents)
        }))
    }
}

#[derive(Slot, Serialize, Deserialize)]
struct User(String);

#[derive(Slot, Serialize, Deserialize)]
struct Payment(u32, i64);

#[step]
fn authenticate(request: &Request) -> Result<User, Failure> {
    request.bearer().map(|user| User(user.to_owned())).ok_or_else(|| Failure::unauthorized("session"))
}

#[step]
fn pay(request: &Request) -> Decision<Payment> {
    let pay = effect(Pay(request.body.len() as u32));
    Need(pay.and_then(|cents| kv::add("payments", 1).map(move |number| Payment(cents, number))))
}

#[step]
fn show(payment: &Payment) -> Result<Response, Failure> {
    match payment.0 {
        3 => Err(Failure::conflict("balance", payment.1)),
        5 => Err(Failure::unavailable("bank").key(payment.1)),
        cents => Ok(Response::text(format!("paid {cents}, payment {}", payment.1))
            .status(StatusCode::CREATED)
            .header("location", "/payments/1")
            .header("set-cookie", "a=b")),
    }
}

fn app() -> (App, std::sync::mpsc::Receiver<()>, Arc<tokio::sync::Semaphore>) {
    const AUTH: Chain = chain![authenticate];
    let (sender, paying) = channel();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let app = App::new()
        .kv(kv::Memory::new())
        .interpreter::<Pay>(PayInterpreter { sender, gate: Arc::clone(&gate) })
        .flow(flow!("pay", POST "/pay", steps: [pay, show], idempotent))
        .flow(flow!("other", POST "/other", steps: [pay, show], idempotent: required))
        .flow(flow!("mine", POST "/mine", before: AUTH, steps: [pay, show], idempotent: required by(User)))
        .deadline(1.hours());
    (app, paying, gate)
}

fn post(path: &str, headers: &str, body: &str) -> String {
    let len = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len}\r\n{headers}\r\n{body}")
}

fn shown(answer: &Answer) -> (u16, &str, bool) {
    (answer.status, &answer.body, answer.header("idempotency-replayed").is_some())
}

#[test]
fn a_repeated_request_gets_the_first_response() {
    let (app, _paying, gate) = app();
    gate.add_permits(100);
    let (server, _) = start(app);
    let mut client = Client::connect(server.addr());
    let keyed = post("/pay", "idempotency-key: \"k1\"\r\n", "seven b");
    let first = client.request(&keyed);
    assert_eq!(shown(&first), (201, "paid 7, payment 1", false));
    assert_eq!(first.header("set-cookie"), Some("a=b"));
    let second = client.request(&keyed);
    assert_eq!(shown(&second), (201, "paid 7, payment 1", true));
    assert_eq!((second.header("location"), second.header("set-cookie")), (Some("/payments/1"), None));
    // The bare form is the same key. Another key, and no key, are other requests.
    assert!(shown(&client.request(post("/pay", "idempotency-key: k1\r\n", "seven b"))).2);
    assert_eq!(
        shown(&client.request(post("/pay", "idempotency-key: k2\r\n", "seven b"))).1,
        "paid 7, payment 2"
    );
    assert_eq!(shown(&client.request(post("/pay", "", "seven b"))).1, "paid 7, payment 3");
}

#[test]
fn a_key_belongs_to_one_request_and_may_be_required() {
    let (app, _paying, gate) = app();
    gate.add_permits(100);
    let (server, _) = start(app);
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(post("/other", "", "x")).status, 400);
    assert_eq!(client.request(post("/pay", "idempotency-key: \"open\r\n", "x")).status, 400);
    assert_eq!(client.request(post("/pay", "idempotency-key: k\r\n", "x")).status, 201);
    let other = client.request(post("/pay", "idempotency-key: k\r\n", "xy"));
    assert_eq!(other.status, 422);
    assert_eq!(other.header("content-type"), Some("application/problem+json"));
    assert_eq!(client.request(post("/other", "idempotency-key: k\r\n", "x")).status, 422);
}

#[test]
fn each_user_has_keys_of_their_own_and_a_refused_request_claims_none() {
    let (app, _paying, gate) = app();
    gate.add_permits(100);
    let (server, _) = start(app);
    let mut client = Client::connect(server.addr());
    let request = |user: &str, body: &str| {
        post("/mine", &format!("authorization: {user}\r\nidempotency-key: k\r\n"), body)
    };
    assert_eq!(client.request(request("none", "x")).status, 401);
    assert_eq!(shown(&client.request(request("Bearer ann", "x"))), (201, "paid 1, payment 1", false));
    assert_eq!(shown(&client.request(request("Bearer bob", "xy"))), (201, "paid 2, payment 2", false));
    assert_eq!(shown(&client.request(request("Bearer ann", "x"))), (201, "paid 1, payment 1", true));
}

#[test]
fn a_request_is_refused_while_the_first_is_running() {
    let (app, paying, gate) = app();
    let (server, _) = start(app);
    let (mut first, mut second) = (Client::connect(server.addr()), Client::connect(server.addr()));
    let keyed = post("/pay", "idempotency-key: k\r\n", "x");
    first.send(&keyed);
    paying.recv_timeout(PATIENCE).unwrap();
    let refused = second.request(&keyed);
    assert_eq!((refused.status, refused.header("retry-after")), (409, Some("1")));
    gate.add_permits(1);
    assert_eq!(first.answer().unwrap().status, 201);
    assert_eq!(shown(&second.request(&keyed)), (201, "paid 1, payment 1", true));
}

#[test]
fn a_request_that_ran_for_longer_than_its_lease_keeps_no_response() {
    let (app, paying, gate) = app();
    let passed_s = Arc::new(AtomicU64::new(1_700_000_000));
    let now = Arc::clone(&passed_s);
    let (server, _) =
        start(app.kv(kv::Memory::with_clock(move || Duration::from_secs(now.load(Ordering::SeqCst)))));
    let keyed = post("/pay", "idempotency-key: \"k1\"\r\n", "seven b");
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(server.addr())).collect();
    clients[0].send(&keyed);
    paying.recv_timeout(PATIENCE).unwrap();
    passed_s.fetch_add(24 * 3600, Ordering::SeqCst);
    clients[1].send(&keyed);
    paying.recv_timeout(PATIENCE).unwrap();
    gate.add_permits(1);
    assert_eq!(shown(&clients[0].answer().unwrap()), (201, "paid 7, payment 1", false));
    assert_eq!(clients[2].request(&keyed).status, 409, "the second request is still running");
    gate.add_permits(1);
    assert_eq!(shown(&clients[1].answer().unwrap()), (201, "paid 7, payment 2", false));
    assert_eq!(shown(&clients[2].request(&keyed)), (201, "paid 7, payment 2", true));
}

#[test]
fn a_client_error_is_kept_and_a_server_error_or_an_aborted_request_is_not() {
    let (app, paying, gate) = app();
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    gate.add_permits(4);
    let conflict = post("/pay", "idempotency-key: a\r\n", "xyz");
    assert_eq!(shown(&client.request(&conflict)).0, 409);
    assert_eq!(shown(&client.request(&conflict)), (409, &*client.request(&conflict).body, true));
    let unavailable = post("/pay", "idempotency-key: b\r\n", "xyzzy");
    for _ in 0..2 {
        assert_eq!((client.request(&unavailable).status, client.request(&unavailable).status), (503, 503));
        gate.add_permits(1);
    }
    while paying.try_recv().is_ok() {}
    // The client leaves while its request runs.
    let mut leaving = Client::connect(server.addr());
    let gone = post("/pay", "idempotency-key: c\r\n", "x");
    let before = collector.wait_for(7).len();
    while gate.try_acquire().is_ok_and(|permit| {
        permit.forget();
        true
    }) {}
    leaving.send(&gone);
    paying.recv_timeout(PATIENCE).unwrap();
    drop(leaving);
    collector.wait_for(before + 1);
    gate.add_permits(1);
    assert_eq!(shown(&client.request(&gone)).0, 201);
}

#[test]
fn a_trace_of_an_idempotent_request_shows_its_effects() {
    let (app, _paying, gate) = app();
    gate.add_permits(1);
    let (server, collector) = start(app);
    Client::connect(server.addr()).request(post("/pay", "idempotency-key: k\r\n", "x"));
    let capture = collector.one();
    let kinds: Vec<_> = capture
        .events
        .iter()
        .filter_map(|event| match event {
            zerver_trace::Event::EffectRequested { kind, args, .. } => {
                Some(format!("{kind} {}", args.summary()?))
            }
            _ => None,
        })
        .collect();
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    assert_eq!(kinds[0], "idempotency policy");
    assert_eq!(kinds[4], "kv replace zerver-idempotency::k if unchanged for 86400s");
}
