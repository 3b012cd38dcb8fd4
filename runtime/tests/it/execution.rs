//! Steps and effects in the runtime: failures, deadlines, cancellation and limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zerver::effects::{BoxFuture, EffectContext, EffectResult as Performed, Interpreter, Started};
use zerver::prelude::*;
use zerver_trace::{Answer, Capture, Decision as Decided, Event, Outcome, QueueReason};

use crate::collector::start;
use crate::raw_client::{Client, PATIENCE, get};

/// An effect whose arguments determine the behavior of its interpreter.
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

/// Performs [`Do`], and counts the effects that it starts and those that are canceled.
#[derive(Clone, Default)]
struct Doer {
    started: Arc<AtomicUsize>,
    canceled: Arc<AtomicUsize>,
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
        self.started.fetch_add(1, Ordering::SeqCst);
        let future: BoxFuture<_> = match args {
            Do::AnswerAtOnce(number) => return Started::Ready(Ok(*number)),
            Do::Panic => panic!("on purpose"),
            Do::AnswerLater(number) => {
                let number = *number;
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    Ok(number)
                })
            }
            Do::Fail => Box::pin(async { Err(EffectError::new(EffectErrorKind::Unreachable, "on purpose")) }),
            Do::PanicLater => Box::pin(async { panic!("on purpose, later") }),
            Do::Never => {
                let counted = Counted(Arc::clone(&self.canceled));
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

fn do_by_name(name: &str) -> Do {
    match name {
        "at-once" => Do::AnswerAtOnce(1),
        "later" => Do::AnswerLater(2),
        "fail" => Do::Fail,
        "panic" => Do::Panic,
        "panic-later" => Do::PanicLater,
        _ => Do::Never,
    }
}

#[step]
fn perform_all(request: &Request) -> Decision<Sum> {
    let effects = request.param_str("what").unwrap_or_default().split('+').map(|name| match name {
        "timeout" => Effect::from_call::<Do>(
            zerver::engine::Call::new(Do::Never).timeout(Duration::from_millis(20)),
            |output| output.copied().map_err(|error| Failure::from_effect("do", &error)),
        ),
        name => effect(do_by_name(name)),
    });
    Need(join_all(effects).map(|numbers| Sum(numbers.iter().sum())))
}

#[step]
fn show(sum: &Sum) -> Response {
    Response::text(sum.0.to_string())
}

#[step]
fn panics(request: &Request) -> Response {
    panic!("on {}", request.method)
}

#[step]
fn yields(progress: Option<u32>) -> Decision<Final, u32> {
    match progress {
        Some(1000) => Done(Response::text("1000")),
        progress => Yield(progress.unwrap_or_default() + 1),
    }
}

#[step]
fn yields_forever(progress: Option<u32>) -> Decision<Final, u32> {
    Yield(progress.unwrap_or_default())
}

/// A value that panics when it is dropped, unless the thread is already panicking.
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
        .flow(flow!("ask", GET "/ask/{what}", steps: [perform_all, show]))
        .flow(
            flow!("quick", GET "/quick/{what}", steps: [perform_all, show])
                .deadline(Duration::from_millis(50)),
        )
        .flow(flow!("in-time", GET "/in-time/{what}", steps: [perform_all, show]).deadline(PATIENCE))
        .flow(flow!("panics", GET "/panics", steps: [panics]))
        .flow(flow!("yields", GET "/yields", steps: [yields]))
        .flow(
            flow!("yields-forever", GET "/yields-forever", steps: [yields_forever])
                .deadline(Duration::from_millis(50)),
        )
        .flow(flow!("armed", GET "/armed", steps: [arm, done]))
        .flow(flow!("armed-closure", GET "/armed-closure", steps: [arm_closure, show]))
        .flow(flow!("done", GET "/done", steps: [done]))
        .interpreter::<Do>(doer.clone())
}

#[test]
fn effects_complete_at_once_or_later_and_run_concurrently() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    for (what, sum) in
        [("at-once", "1"), ("later", "2"), ("at-once+later+later+at-once", "6"), ("timeout", "")]
    {
        let answer = client.request(get(&format!("/ask/{what}")));
        assert_eq!(if answer.status == 200 { answer.body } else { String::new() }, sum, "{what}");
    }
    let count = |capture: &Capture| {
        capture.events.iter().filter(|event| matches!(event, Event::EffectRequested { .. })).count()
    };
    assert_eq!(collector.wait_for(4).iter().map(|capture| count(capture)).collect::<Vec<_>>(), [1, 1, 4, 1]);
}

#[test]
fn an_effect_that_fails_fails_its_request() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    let cases = [
        ("fail", 503, "on purpose"),
        ("panic", 500, "the interpreter of do panicked: on purpose"),
        ("panic-later", 500, "the interpreter of do panicked: on purpose, later"),
        ("timeout", 504, "no answer within 20ms"),
    ];
    for (at, (what, status, cause)) in cases.into_iter().enumerate() {
        assert_eq!(client.request(get(&format!("/ask/{what}+later"))).status, status, "{what}");
        let captures = collector.wait_for(at + 1);
        let Outcome::Failed(failure) = &captures[at].outcome else { panic!("{:?}", captures[at].outcome) };
        assert!(failure.causes.iter().any(|c| c.contains(cause)), "{:?}", failure.causes);
    }
}

#[test]
fn an_effect_without_an_interpreter_is_an_internal_error() {
    let (server, _) = start(App::new().flow(flow!("ask", GET "/ask/{what}", steps: [perform_all, show])));
    assert_eq!(Client::connect(server.addr()).request(get("/ask/later")).status, 500);
}

#[test]
fn after_its_deadline_a_request_is_answered_and_its_effects_are_canceled() {
    let doer = Doer::default();
    let (server, collector) = start(app(&doer));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/in-time/later")).body, "2");
    assert_eq!(doer.started.swap(0, Ordering::SeqCst), 1);
    // Repeated, because no effect starts if the machine stalls until the deadline.
    let requests = (1..20).find(|_| {
        let answer = client.request(get("/quick/never+later"));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (504, r#"{"type":"about:blank","title":"Gateway Timeout","status":504,"kind":"timeout","what":"request"}"#)
        );
        doer.started.load(Ordering::SeqCst) > 0
    });
    let capture = &collector.wait_for(1 + requests.expect("this machine is too slow")).pop().unwrap();
    assert_eq!(capture.outcome, Outcome::TimedOut { step: 0 });
    assert!(
        capture.events.iter().any(|e| matches!(e, Event::EffectCompleted { answer: Answer::Canceled, .. }))
    );
    assert_eq!(doer.canceled.load(Ordering::SeqCst), 1);
    assert_eq!(client.request(get("/yields-forever")).status, 504);
    assert_eq!(client.request(get("/done")).status, 200);
}

/// An effect that never completes is canceled at its time limit. The flow continues with the failure as a value.
#[test]
fn after_its_time_limit_an_effect_is_canceled_and_the_flow_receives_the_failure() {
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
    fn show(tried: &Tried) -> Response {
        Response::text(format!("{:?}", tried.0))
    }
    let doer = Doer::default();
    let flow = flow!("tries", GET "/tries", steps: [try_it, show]);
    let (server, collector) = start(App::new().flow(flow).interpreter::<Do>(doer.clone()));
    let answer = Client::connect(server.addr()).request(get("/tries"));
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"Err("timeout")"#));
    assert_eq!(doer.canceled.load(Ordering::SeqCst), 1);
    let capture = collector.one();
    let is_timeout = |event: &Event<_>| matches!(event, Event::EffectCompleted { answer: Answer::Err(error), .. } if error.kind == EffectErrorKind::Timeout);
    assert!(capture.outcome == Outcome::Done && capture.events.iter().any(is_timeout));
}

#[test]
fn a_client_that_leaves_cancels_its_effects() {
    let doer = Doer::default();
    let (server, collector) = start(app(&doer));
    for at in 0..2 {
        let mut client = Client::connect(server.addr());
        client.send(get("/ask/never"));
        while doer.started.load(Ordering::SeqCst) <= at {
            std::thread::yield_now();
        }
        if at == 0 {
            drop(client)
        } else {
            client.half_close()
        }
        let capture = &collector.wait_for(at + 1)[at];
        assert_eq!((&capture.outcome, capture.status), (&Outcome::ClientLeft { step: 0 }, 0));
        assert!(capture.response.is_none());
        let is_canceled =
            |event: &Event<_>| matches!(event, Event::EffectCompleted { answer: Answer::Canceled, .. });
        assert!(capture.events.iter().any(is_canceled));
        assert_eq!(doer.canceled.load(Ordering::SeqCst), at + 1);
    }
}

#[test]
fn a_client_that_leaves_within_its_body_is_noticed() {
    let (server, collector) = start(App::new().flow(flow!("done", POST "/done", steps: [done])));
    let mut client = Client::connect(server.addr());
    client.send("POST /done HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhello");
    drop(client);
    let capture = collector.one();
    assert!(!matches!(capture.outcome, Outcome::Done), "{:?}", capture.outcome);
    assert_eq!(capture.flow.name, "done");
}

#[test]
fn a_panicking_step_fails_only_its_own_request() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    let answer = client.request(get("/panics"));
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (
            500,
            r#"{"type":"about:blank","title":"Internal Server Error","status":500,"kind":"internal","what":"step"}"#
        )
    );
    assert_eq!(client.request(get("/done")).body, "done");
    let captures = collector.wait_for(2);
    assert_eq!(captures[0].outcome, Outcome::Panicked { step: 0, message: "on GET".to_owned() });
    let Event::StepRan { decision: Decided::Panic, .. } = captures[0].events[1] else {
        panic!("not recorded")
    };
    for capture in captures {
        std::mem::forget(capture);
    }
}

#[test]
fn a_failure_whose_rendering_panics_is_rendered_by_default() {
    let app = app(&Doer::default()).on_failure(|_, _| panic!("in the rendering"));
    let (server, _) = start(app);
    let mut client = Client::connect(server.addr());
    for (target, status) in [("/panics", 500), ("/nothing", 404), ("/ask/fail", 503), ("/done", 200)] {
        assert_eq!(client.request(get(target)).status, status, "{target}");
    }
}

#[test]
fn a_value_that_panics_when_dropped_does_not_end_its_worker() {
    let options =
        zerver::StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..zerver::StartOptions::default() };
    let server = app(&Doer::default()).workers(1).start(options).unwrap();
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        assert_eq!(client.request(get("/armed")).body, "done");
        assert_eq!(client.request(get("/armed-closure")).status, 500);
        assert_eq!(client.request(get("/done")).body, "done");
    }
}

#[test]
fn a_panic_outside_of_a_step_is_captured() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/armed-closure")).status, 500);
    let capture = collector.one();
    assert!(matches!(capture.outcome, Outcome::Panicked { step: 0, .. }), "{:?}", capture.outcome);
}

#[test]
fn a_step_that_yields_continues() {
    let (server, collector) = start(app(&Doer::default()));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/yields")).body, "1000");
    let yields = |event: &&Event<_>| matches!(event, Event::StepYielded { .. });
    assert_eq!(collector.one().events.iter().filter(yields).count(), 1000);
}

#[test]
fn effects_over_the_limit_of_a_request_are_queued() {
    #[derive(Clone, Default)]
    struct Counting {
        in_flight: Arc<AtomicUsize>,
        max_in_flight: Arc<AtomicUsize>,
    }
    impl Interpreter<Do> for Counting {
        fn start(&self, _: &Do, _: &EffectContext) -> Started<Performed<Do>> {
            let counts = self.clone();
            let in_flight = counts.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            counts.max_in_flight.fetch_max(in_flight, Ordering::SeqCst);
            Started::Pending(Box::pin(async move {
                // The first effect waits for the second, which starts although the first has not completed.
                while counts.max_in_flight.load(Ordering::SeqCst) < 2 {
                    tokio::task::yield_now().await;
                }
                counts.in_flight.fetch_sub(1, Ordering::SeqCst);
                Ok(2)
            }))
        }
    }
    let counts = Counting::default();
    let limits = zerver::Limits { effects: 2, ..zerver::Limits::default() };
    let app = app(&Doer::default()).interpreter::<Do>(counts.clone()).limits(limits);
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    let answer = client.request(get("/ask/later+later+later+later+later"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "10"));
    assert_eq!(counts.max_in_flight.load(Ordering::SeqCst), 2);
    let completed = |event: &&Event<_>| matches!(event, Event::EffectCompleted { answer: Answer::Ok(_), .. });
    let capture = collector.one();
    assert_eq!(capture.events.iter().filter(completed).count(), 5);
    let queued =
        |event: &&Event<_>| matches!(event, Event::EffectQueued { reason: QueueReason::Request, .. });
    let started = |event: &&Event<_>| matches!(event, Event::EffectStarted { .. });
    let count = |is: fn(&&Event<_>) -> bool| capture.events.iter().filter(is).count();
    assert_eq!((count(queued), count(started)), (3, 3));
}

/// The effect that is in flight completes only after the one over the limit has failed, so that nothing but the deadline
/// can wake the request.
#[test]
fn the_deadline_of_an_effect_over_the_limit_of_a_request_is_noticed_when_it_passes() {
    static HAS_FAILED: tokio::sync::Notify = tokio::sync::Notify::const_new();
    struct CompleteAfterFailure;
    impl Interpreter<Do> for CompleteAfterFailure {
        fn start(&self, _: &Do, _: &EffectContext) -> Started<Performed<Do>> {
            Started::Pending(Box::pin(async {
                HAS_FAILED.notified().await;
                Ok(1)
            }))
        }
    }
    #[step]
    fn ask_both() -> Decision<Sum> {
        let second = effect(Do::AnswerLater(2)).deadline(20.millis()).attempt();
        let failed = second.map(|result| {
            HAS_FAILED.notify_one();
            u32::from(result.is_err())
        });
        Need(all((effect(Do::AnswerLater(1)), failed)).map(|(first, failed)| Sum(10 * first + failed)))
    }
    let limits = zerver::Limits { effects: 1, ..zerver::Limits::default() };
    let flow = flow!("both", GET "/both", steps: [ask_both, show]);
    let app =
        App::new().flow(flow).interpreter::<Do>(CompleteAfterFailure).limits(limits).deadline(1.hours());
    let (server, collector) = start(app);
    assert_eq!(Client::connect(server.addr()).request(get("/both")).body, "11");
    let events: Vec<_> = collector
        .one()
        .events
        .iter()
        .filter_map(|event| match event {
            Event::EffectQueued { call, reason: QueueReason::Request, .. } => Some(format!("{call} queued")),
            Event::EffectStarted { call, .. } => Some(format!("{call} started")),
            Event::EffectCompleted { call, answer: Answer::Ok(_), .. } => Some(format!("{call} completed")),
            Event::EffectCompleted { call, answer: Answer::Err(error), .. } => {
                Some(format!("{call} failed: {}", error.message))
            }
            _ => None,
        })
        .collect();
    let failed = "1 failed: no answer before the deadline of its effect";
    assert_eq!(events, ["1 queued", failed, "0 completed"]);
}

/// Reports points in `start`, in its future, and in a task that it spawns, where reports have no effect.
#[derive(Clone)]
struct Reporter {
    never_ends: bool,
}

impl Interpreter<Do> for Reporter {
    fn start(&self, _: &Do, _: &EffectContext) -> Started<Performed<Do>> {
        zerver::effects::report_point(zerver::effects::points::CONNECTION);
        let never_ends = self.never_ends;
        Started::Pending(Box::pin(async move {
            tokio::spawn(async { zerver::effects::report_point("elsewhere") }).await.unwrap();
            zerver::effects::report_point("half way".to_owned());
            if never_ends {
                std::future::pending::<()>().await;
            }
            Ok(1)
        }))
    }
}

fn points(capture: &Capture) -> Vec<&str> {
    let point = |event| match event {
        &Event::EffectPoint { call: 0, ref point, .. } => Some(&**point),
        _ => None,
    };
    capture.events.iter().filter_map(point).collect()
}

#[test]
fn points_within_a_call_are_recorded_before_its_answer() {
    let (server, collector) = start(app(&Doer::default()).interpreter::<Do>(Reporter { never_ends: false }));
    assert_eq!(Client::connect(server.addr()).request(get("/ask/later")).body, "1");
    let capture = collector.one();
    assert_eq!(points(&capture), ["connection", "half way"]);
    let at = |is: fn(&Event<_>) -> bool| capture.events.iter().position(is).unwrap();
    let asked = at(|event| matches!(event, Event::EffectRequested { .. }));
    let reached = at(|event| matches!(event, Event::EffectPoint { .. }));
    let answered = at(|event| matches!(event, Event::EffectCompleted { .. }));
    assert!(asked < reached && reached < answered, "{asked} {reached} {answered}");
}

#[test]
fn a_call_that_the_deadline_ends_tells_how_far_it_got() {
    let app = app(&Doer::default()).interpreter::<Do>(Reporter { never_ends: true });
    let (server, collector) = start(app.deadline(Duration::from_millis(20)));
    assert_eq!(Client::connect(server.addr()).request(get("/ask/later")).status, 504);
    assert_eq!(points(&collector.one()), ["connection", "half way"]);
}

#[test]
fn a_trace_context_is_passed_on() {
    #[derive(Clone)]
    struct ContextSender(std::sync::mpsc::Sender<[Option<String>; 2]>);
    impl Interpreter<Do> for ContextSender {
        fn start(&self, _: &Do, context: &EffectContext) -> Started<Performed<Do>> {
            let parent = context.traceparent.map(|parent| parent.to_string());
            self.0.send([parent, context.tracestate.as_deref().map(ToOwned::to_owned)]).unwrap();
            Started::Ready(Ok(1))
        }
    }
    let (sender, contexts) = std::sync::mpsc::channel();
    let (server, _) = start(app(&Doer::default()).interpreter::<Do>(ContextSender(sender)));
    let mut client = Client::connect(server.addr());
    let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let later = valid.replace("00-", "cc-") + "-what-the-future";
    for (given, passed) in [
        (valid, [Some(valid), Some("rojo=1,congo=2")]),
        (&later, [Some(valid), Some("rojo=1,congo=2")]),
        ("nonsense", [None, None]),
    ] {
        client.request(format!(
            "GET /ask/later HTTP/1.1\r\nhost: test\r\ntraceparent: {given}\r\n\
             tracestate: rojo=1\r\ntracestate: congo=2\r\n\r\n"
        ));
        assert_eq!(contexts.recv().unwrap().each_ref().map(|text| text.as_deref()), passed);
    }
}
