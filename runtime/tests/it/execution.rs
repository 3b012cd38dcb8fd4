//! Steps and effects under the runtime: what fails, what takes too long, who goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zerver::effects::{BoxFuture, EffectContext, EffectResult as Performed, Interpreter, Started};
use zerver::prelude::*;
use zerver_trace::{Answer, Decision as Decided, Event, Outcome, QueueReason};

use crate::collector::start;
use crate::raw_client::{Client, PATIENCE, get};

/// An effect whose interpreter does as it is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Do {
    AnswerAtOnce(u32),
    AnswerLater(u32),
    Fail,
    Panic,
    PanicLater,
    Never,
}

impl EffectKind for Do {
    type Output = u32;
    const KIND: &'static str = "do";
}

/// Does it, and counts what never was done.
#[derive(Clone, Default)]
struct Doer {
    begun: Arc<AtomicUsize>,
    cancelled: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Interpreter<Do> for Doer {
    fn start(&self, args: &Do, context: &EffectContext) -> Started<Performed<Do>> {
        assert!(context.request_id.is_some());
        self.begun.fetch_add(1, Ordering::SeqCst);
        let future: BoxFuture<_> = match args {
            Do::AnswerAtOnce(number) => return Started::Ready(Ok(*number)),
            Do::Panic => panic!("told to"),
            Do::AnswerLater(number) => {
                let number = *number;
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    Ok(number)
                })
            }
            Do::Fail => Box::pin(async { Err(EffectError::new(EffectErrorKind::Unreachable, "told to")) }),
            Do::PanicLater => Box::pin(async { panic!("told to, later") }),
            Do::Never => {
                let counted = Counted(Arc::clone(&self.cancelled));
                Box::pin(async move {
                    let _counted = counted;
                    std::future::pending().await
                })
            }
        };
        Started::Pending(future)
    }
}

#[derive(Slot, Serialize, Deserialize)]
struct Sum(u32);

fn told(what: &str) -> Do {
    match what {
        "at-once" => Do::AnswerAtOnce(1),
        "later" => Do::AnswerLater(2),
        "fail" => Do::Fail,
        "panic" => Do::Panic,
        "panic-later" => Do::PanicLater,
        _ => Do::Never,
    }
}

#[step]
fn ask_all(request: &Request) -> Decision<Sum> {
    let asked = request.param_str("what").unwrap_or_default().split('+').map(|what| match what {
        "timeout" => Effect::from_call::<Do>(
            zerver::engine::Call::new(Do::Never).timeout(Duration::from_millis(20)),
            |output| output.copied().map_err(|error| Failure::from_effect("do", &error)),
        ),
        what => effect(told(what)),
    });
    Need(join_all(asked).map(|numbers| Sum(numbers.iter().sum())))
}

#[step]
fn show(sum: &Sum) -> Response {
    Response::text(sum.0.to_string())
}

#[step]
fn panics(request: &Request) -> Response {
    panic!("told to by {}", request.method)
}

#[step]
fn yields(progress: Option<u32>) -> Decision<Final, u32> {
    match progress {
        Some(1000) => Done(Response::text("1000")),
        progress => Yield(progress.unwrap_or_default() + 1),
    }
}

#[step]
fn yields_for_ever(progress: Option<u32>) -> Decision<Final, u32> {
    Yield(progress.unwrap_or_default())
}

/// A value that panics when it is dropped, but not while there is a panic already.
#[derive(Serialize, Deserialize)]
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

#[derive(Slot, Serialize, Deserialize)]
struct Armed(Grenade);

#[step]
fn arm() -> Armed {
    Armed(Grenade)
}

#[step]
fn arm_closure() -> Decision<Sum> {
    let grenade = Grenade;
    Need(effect(Do::AnswerLater(1)).map(move |number| {
        let _grenade = &grenade;
        Sum(number)
    }))
}

#[step]
fn done() -> Response {
    Response::text("done")
}

fn app(doer: &Doer) -> App {
    App::new()
        .flow(flow!("ask", GET "/ask/{what}", steps: [ask_all, show]))
        .flow(flow!("quick", GET "/quick/{what}", steps: [ask_all, show]).deadline(Duration::from_millis(50)))
        .flow(flow!("in-time", GET "/in-time/{what}", steps: [ask_all, show]).deadline(PATIENCE))
        .flow(flow!("panics", GET "/panics", steps: [panics]))
        .flow(flow!("yields", GET "/yields", steps: [yields]))
        .flow(
            flow!("yields-for-ever", GET "/yields-for-ever", steps: [yields_for_ever])
                .deadline(Duration::from_millis(50)),
        )
        .flow(flow!("armed", GET "/armed", steps: [arm, done]))
        .flow(flow!("armed-closure", GET "/armed-closure", steps: [arm_closure, show]))
        .flow(flow!("done", GET "/done", steps: [done]))
        .interpreter::<Do>(doer.clone())
}

#[test]
fn effects_are_performed_at_once_and_at_the_same_time() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    for (what, sum) in
        [("at-once", "1"), ("later", "2"), ("at-once+later+later+at-once", "6"), ("timeout", "")]
    {
        let answer = client.ask(get(&format!("/ask/{what}")));
        assert_eq!(if answer.status == 200 { answer.body } else { String::new() }, sum, "{what}");
    }
    let asked = |capture: &zerver_trace::Capture| {
        capture.events.iter().filter(|event| matches!(event, Event::EffectRequested { .. })).count()
    };
    assert_eq!(collector.wait_for(4).iter().map(|capture| asked(capture)).collect::<Vec<_>>(), [1, 1, 4, 1]);
}

#[test]
fn an_effect_that_fails_fails_its_request() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    let cases = [
        ("fail", 503, "told to"),
        ("panic", 500, "the interpreter of do panicked: told to"),
        ("panic-later", 500, "the interpreter of do panicked: told to, later"),
        ("timeout", 504, "no answer within 20ms"),
    ];
    for (at, (what, status, cause)) in cases.into_iter().enumerate() {
        assert_eq!(client.ask(get(&format!("/ask/{what}+later"))).status, status, "{what}");
        let captures = collector.wait_for(at + 1);
        let Outcome::Failed(failure) = &captures[at].outcome else { panic!("{:?}", captures[at].outcome) };
        assert!(failure.causes.iter().any(|c| c.contains(cause)), "{:?}", failure.causes);
    }
}

#[test]
fn an_effect_that_nobody_performs() {
    let (server, _) = start(App::new().flow(flow!("ask", GET "/ask/{what}", steps: [ask_all, show])));
    assert_eq!(Client::connect(server.addr()).ask(get("/ask/later")).status, 500);
}

#[test]
fn past_its_deadline_a_request_is_answered_and_its_effects_are_cancelled() {
    let doer = Doer::default();
    let (server, collector) = start(app(&doer));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.ask(get("/in-time/later")).body, "2");
    assert_eq!(doer.begun.swap(0, Ordering::SeqCst), 1);
    // Where the machine stalls until the deadline, before anything has begun, nothing is cancelled: then once more.
    let asked = (1..20).find(|_| {
        let answer = client.ask(get("/quick/never+later"));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (504, r#"{"error":{"kind":"timeout","what":"request"}}"#)
        );
        doer.begun.load(Ordering::SeqCst) > 0
    });
    let capture = &collector.wait_for(1 + asked.expect("this machine is too slow")).pop().unwrap();
    assert_eq!(capture.outcome, Outcome::TimedOut { step: 0 });
    assert!(
        capture.events.iter().any(|e| matches!(e, Event::EffectCompleted { answer: Answer::Cancelled, .. }))
    );
    assert_eq!(doer.cancelled.load(Ordering::SeqCst), 1);
    assert_eq!(client.ask(get("/yields-for-ever")).status, 504);
    assert_eq!(client.ask(get("/done")).status, 200);
}

/// An effect that never completes has its time; then its flow goes on, with the failure as a value.
#[test]
fn past_its_time_an_effect_is_cancelled_and_its_failure_is_what_the_flow_goes_on_with() {
    #[derive(Slot, Serialize, Deserialize)]
    struct Tried(Result<u32, String>);
    #[step]
    fn try_it() -> Decision<Tried> {
        let call = zerver::engine::Call::new(Do::Never).timeout(Duration::from_millis(20));
        let never = Effect::from_call::<Do>(call, |output| {
            output.copied().map_err(|error| Failure::from_effect("do", &error))
        });
        Need(never.attempt().map(|tried| Tried(tried.map_err(|failure| failure.kind().to_string()))))
    }
    #[step]
    fn tell(tried: &Tried) -> Response {
        Response::text(format!("{:?}", tried.0))
    }
    let doer = Doer::default();
    let flow = flow!("tries", GET "/tries", steps: [try_it, tell]);
    let (server, collector) = start(App::new().flow(flow).interpreter::<Do>(doer.clone()));
    let answer = Client::connect(server.addr()).ask(get("/tries"));
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"Err("timeout")"#));
    assert_eq!(doer.cancelled.load(Ordering::SeqCst), 1);
    let capture = collector.one();
    let is_late = |event: &Event<_>| matches!(event, Event::EffectCompleted { answer: Answer::Err(error), .. } if error.kind == EffectErrorKind::Timeout);
    assert!(capture.outcome == Outcome::Done && capture.events.iter().any(is_late));
}

#[test]
fn a_client_that_goes_away_cancels_its_effects() {
    let doer = Doer::default();
    let (server, collector) = start(app(&doer));
    for at in 0..2 {
        let mut client = Client::connect(server.addr());
        client.send(get("/ask/never"));
        while doer.begun.load(Ordering::SeqCst) <= at {
            std::thread::yield_now();
        }
        if at == 0 {
            drop(client)
        } else {
            client.half_close()
        }
        let capture = &collector.wait_for(at + 1)[at];
        assert_eq!((&capture.outcome, capture.status), (&Outcome::Gone { step: 0 }, 0));
        assert!(capture.response.is_none());
        let answered =
            |event: &Event<_>| matches!(event, Event::EffectCompleted { answer: Answer::Cancelled, .. });
        assert!(capture.events.iter().any(answered));
        assert_eq!(doer.cancelled.load(Ordering::SeqCst), at + 1);
    }
}

#[test]
fn a_client_that_goes_away_within_its_body_is_seen() {
    let (server, collector) = start(App::new().flow(flow!("done", POST "/done", steps: [done])));
    let mut client = Client::connect(server.addr());
    client.send("POST /done HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhello");
    drop(client);
    let capture = collector.one();
    assert!(!matches!(capture.outcome, Outcome::Done), "{:?}", capture.outcome);
    assert_eq!(capture.flow.name, "done");
}

#[test]
fn a_panicking_step_costs_its_own_request_only() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    let answer = client.ask(get("/panics"));
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (500, r#"{"error":{"kind":"internal","what":"step"}}"#)
    );
    assert_eq!(client.ask(get("/done")).body, "done");
    let captures = collector.wait_for(2);
    assert_eq!(captures[0].outcome, Outcome::Panicked { step: 0, message: "told to by GET".to_owned() });
    let Event::StepRan { decision: Decided::Panic, .. } = captures[0].events[1] else {
        panic!("not recorded")
    };
    for capture in captures {
        std::mem::forget(capture);
    }
}

#[test]
fn a_failure_that_cannot_be_rendered_is_rendered_plainly() {
    let app = app(&Doer::default()).on_failure(|_, _| panic!("in the rendering"));
    let (server, _) = start(app);
    let mut client = Client::connect(server.addr());
    for (target, status) in [("/panics", 500), ("/nothing", 404), ("/ask/fail", 503), ("/done", 200)] {
        assert_eq!(client.ask(get(target)).status, status, "{target}");
    }
}

#[test]
fn a_value_that_panics_when_dropped_takes_no_worker_with_it() {
    let options =
        zerver::StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..zerver::StartOptions::default() };
    let server = app(&Doer::default()).workers(1).start(options).unwrap();
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        assert_eq!(client.ask(get("/armed")).body, "done");
        assert_eq!(client.ask(get("/armed-closure")).status, 500);
        assert_eq!(client.ask(get("/done")).body, "done");
    }
}

#[test]
fn a_panic_outside_of_a_step_is_captured_as_one() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.ask(get("/armed-closure")).status, 500);
    let capture = collector.one();
    assert!(matches!(capture.outcome, Outcome::Panicked { step: 0, .. }), "{:?}", capture.outcome);
}

#[test]
fn a_step_that_yields_goes_on_and_lets_others_run() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.ask(get("/yields")).body, "1000");
    let yields = |event: &&Event<_>| matches!(event, Event::StepYielded { .. });
    assert_eq!(collector.one().events.iter().filter(yields).count(), 1000);
}

#[test]
fn effects_beyond_the_limit_wait_for_others() {
    #[derive(Clone, Default)]
    struct Busy {
        now: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }
    impl Interpreter<Do> for Busy {
        fn start(&self, _: &Do, _: &EffectContext) -> Started<Performed<Do>> {
            let busy = self.clone();
            busy.most.fetch_max(busy.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Started::Pending(Box::pin(async move {
                // The first waits for the second: they are not on the thread that begins them.
                while busy.most.load(Ordering::SeqCst) < 2 {
                    tokio::task::yield_now().await;
                }
                busy.now.fetch_sub(1, Ordering::SeqCst);
                Ok(2)
            }))
        }
    }
    let busy = Busy::default();
    let limits = zerver::Limits { effects: 2, ..zerver::Limits::default() };
    let app = app(&Doer::default()).interpreter::<Do>(busy.clone()).limits(limits);
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    let answer = client.ask(get("/ask/later+later+later+later+later"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "10"));
    assert_eq!(busy.most.load(Ordering::SeqCst), 2);
    let answered = |event: &&Event<_>| matches!(event, Event::EffectCompleted { answer: Answer::Ok(_), .. });
    let capture = collector.one();
    assert_eq!(capture.events.iter().filter(answered).count(), 5);
    let held = |event: &&Event<_>| matches!(event, Event::EffectQueued { reason: QueueReason::Request, .. });
    let begun = |event: &&Event<_>| matches!(event, Event::EffectStarted { .. });
    let count = |is: fn(&&Event<_>) -> bool| capture.events.iter().filter(is).count();
    assert_eq!((count(held), count(begun)), (3, 3));
}

#[test]
fn a_trace_context_is_passed_on() {
    #[derive(Clone)]
    struct Seen(std::sync::mpsc::Sender<[Option<String>; 2]>);
    impl Interpreter<Do> for Seen {
        fn start(&self, _: &Do, context: &EffectContext) -> Started<Performed<Do>> {
            let both = [&context.traceparent, &context.tracestate];
            self.0.send(both.map(|text| text.as_deref().map(ToOwned::to_owned))).unwrap();
            Started::Ready(Ok(1))
        }
    }
    let (sender, seen) = std::sync::mpsc::channel();
    let (server, _) = start(app(&Doer::default()).interpreter::<Do>(Seen(sender)));
    let mut client = Client::connect(server.addr());
    let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let later = valid.replace("00-", "cc-") + "-what-the-future";
    for (given, passed) in [
        (valid, [Some(valid), Some("rojo=1,congo=2")]),
        (&later, [Some(valid), Some("rojo=1,congo=2")]),
        ("nonsense", [None, None]),
    ] {
        client.ask(format!(
            "GET /ask/later HTTP/1.1\r\nhost: test\r\ntraceparent: {given}\r\n\
             tracestate: rojo=1\r\ntracestate: congo=2\r\n\r\n"
        ));
        assert_eq!(seen.recv().unwrap().each_ref().map(|text| text.as_deref()), passed);
    }
}
