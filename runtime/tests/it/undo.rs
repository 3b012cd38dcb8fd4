//! Recovery, and undoing what a failed request has done, over real sockets.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use zerver::effects::{EffectContext, EffectResult as Performed, Interpreter, Started};
use zerver::prelude::*;
use zerver_trace::{Capture, Event, Outcome};

use crate::collector::start;
use crate::raw_client::{Client, PATIENCE, get};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pay(u32);

impl EffectKind for Pay {
    const KIND: &'static str = "pay";
    type Output = u32;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Refund(u32);

impl EffectKind for Refund {
    const KIND: &'static str = "refund";
    type Output = ();
    fn is_idempotent(&self) -> bool {
        true
    }
}

/// An effect that never completes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Hang;

impl EffectKind for Hang {
    const KIND: &'static str = "hang";
    type Output = ();
}

struct PayInterpreter;

impl Interpreter<Pay> for PayInterpreter {
    fn start(&self, pay: &Pay, _: &EffectContext) -> Started<Performed<Pay>> {
        Started::Ready(Ok(pay.0))
    }
}

/// Refunds once the gate lets it, and reports each attempt. The first attempt of each refund fails.
struct RefundInterpreter {
    attempts: Mutex<Vec<u32>>,
    sender: Sender<u32>,
    gate: Arc<tokio::sync::Semaphore>,
}

impl Interpreter<Refund> for RefundInterpreter {
    fn start(&self, refund: &Refund, context: &EffectContext) -> Started<Performed<Refund>> {
        assert!(context.request_id.is_some());
        let mut attempts = self.attempts.lock().unwrap();
        let is_first = !attempts.contains(&refund.0);
        attempts.push(refund.0);
        drop(attempts);
        self.sender.send(refund.0).unwrap();
        if is_first {
            return Started::Ready(Err(EffectError::new(EffectErrorKind::Unreachable, "at first")));
        }
        let gate = Arc::clone(&self.gate);
        Started::Pending(Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Ok(())
        }))
    }
}

struct HangInterpreter(Sender<()>);

impl Interpreter<Hang> for HangInterpreter {
    fn start(&self, _: &Hang, _: &EffectContext) -> Started<Performed<Hang>> {
        self.0.send(()).unwrap();
        Started::Pending(Box::pin(std::future::pending()))
    }
}

#[derive(Slot, Serialize, Deserialize)]
struct Receipt(u32);

#[step]
fn pay(request: &Request) -> Result<Decision<Receipt>, Failure> {
    let n: u32 = request.param("n")?;
    let undo = |&n: &u32| effect(Refund(n)).retry(Retry::attempts(3).pause(1.millis(), 1.millis()));
    Ok(Need(effect(Pay(n)).undo(undo).map(Receipt)))
}

#[step]
fn fail(receipt: &Receipt) -> Result<Response, Failure> {
    Err(Failure::conflict("order", receipt.0))
}

#[step]
fn panic(receipt: &Receipt) -> Response {
    panic!("on purpose {}", receipt.0)
}

#[step]
fn hang() -> Decision<()> {
    Need(effect(Hang))
}

#[step]
fn done(receipt: &Receipt) -> Response {
    Response::text(receipt.0.to_string())
}

#[step]
fn accept(failure: &Failure, receipt: Option<&Receipt>) -> Response {
    Response::text(format!("{failure}, receipt {:?}", receipt.map(|receipt| receipt.0)))
}

struct Signals {
    refunds: Receiver<u32>,
    hangs: Receiver<()>,
    gate: Arc<tokio::sync::Semaphore>,
}

/// Returns the app, and what its effects report. Refunds wait for a permit of the gate.
fn app(permits: usize) -> (App, Signals) {
    let (sender, refunds) = channel();
    let (hang_sender, hangs) = channel();
    let gate = Arc::new(tokio::sync::Semaphore::new(permits));
    let refund = RefundInterpreter { attempts: Mutex::default(), sender, gate: Arc::clone(&gate) };
    let app = App::new()
        .interpreter::<Pay>(PayInterpreter)
        .interpreter::<Refund>(refund)
        .interpreter::<Hang>(HangInterpreter(hang_sender))
        .flow(flow!("fail", GET "/fail/{n}", steps: [pay, fail]))
        .flow(flow!("panic", GET "/panic/{n}", steps: [pay, panic]))
        .flow(flow!("batch", GET "/batch/{n}", steps: [pay, fail]).class(Class::Batch))
        .flow(flow!("hang", GET "/hang/{n}", steps: [pay, hang, done]))
        .flow(flow!("late", GET "/late/{n}", steps: [pay, hang, done]).deadline(200.millis()))
        .flow(flow!("accept", GET "/accept/{n}", steps: [pay, fail], recover: accept))
        .deadline(1.hours());
    (app, Signals { refunds, hangs, gate })
}

fn is_undone(capture: &Capture) -> bool {
    capture.events.iter().any(|event| matches!(event, Event::UndoEnded { failure: None, .. }))
}

#[test]
fn what_a_failed_request_has_done_is_undone_before_the_response() {
    let (app, signals) = app(100);
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    for (at, (target, status)) in
        [("/fail/1", 409), ("/panic/2", 500), ("/batch/3", 409), ("/late/4", 504)].into_iter().enumerate()
    {
        assert_eq!(client.request(get(target)).status, status, "{target}");
        let n = at as u32 + 1;
        // Both attempts were made before the response.
        assert_eq!((signals.refunds.try_recv(), signals.refunds.try_recv()), (Ok(n), Ok(n)), "{target}");
        assert!(is_undone(collector.wait_for(at + 1).last().unwrap()), "{target}");
    }
}

#[test]
fn a_request_that_recovers_is_not_undone() {
    let (app, signals) = app(100);
    let (server, collector) = start(app);
    let answer = Client::connect(server.addr()).request(get("/accept/7"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "conflict order 7, receipt Some(7)"));
    assert!(signals.refunds.try_recv().is_err());
    let capture = collector.one();
    assert_eq!(capture.outcome, Outcome::Done);
    assert!(!is_undone(&capture));
}

#[test]
fn a_request_whose_client_leaves_is_undone() {
    let (app, signals) = app(100);
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    client.send(get("/hang/5"));
    signals.hangs.recv_timeout(PATIENCE).unwrap();
    drop(client);
    for _ in 0..2 {
        assert_eq!(signals.refunds.recv_timeout(PATIENCE), Ok(5));
    }
    let capture = collector.one();
    assert_eq!(capture.outcome, Outcome::ClientLeft { step: 1 });
    assert!(is_undone(&capture));
}

#[test]
fn a_client_that_leaves_while_its_request_is_undone_does_not_stop_that() {
    let (app, signals) = app(0);
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    client.send(get("/fail/6"));
    for _ in 0..2 {
        assert_eq!(signals.refunds.recv_timeout(PATIENCE), Ok(6));
    }
    drop(client);
    signals.gate.add_permits(1);
    let capture = collector.one();
    assert!(matches!(capture.outcome, Outcome::Failed(_)), "{:?}", capture.outcome);
    assert!(is_undone(&capture));
}

#[test]
fn a_service_that_stops_waits_for_requests_that_are_undone() {
    let (app, signals) = app(0);
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    client.send(get("/hang/8"));
    signals.hangs.recv_timeout(PATIENCE).unwrap();
    drop(client);
    for _ in 0..2 {
        assert_eq!(signals.refunds.recv_timeout(PATIENCE), Ok(8));
    }
    let stopping = std::thread::spawn(move || server.stop());
    signals.gate.add_permits(1);
    stopping.join().unwrap();
    assert!(is_undone(&collector.one()));
}
