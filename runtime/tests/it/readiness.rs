//! A service that opens what it needs while it already listens.

use std::sync::Mutex;

use tokio::sync::{mpsc, oneshot};
use zerver::effects::CallGuard;
use zerver::effects::sleep;
use zerver::prelude::*;
use zerver_trace::{Answer, Event, Outcome};

use crate::collector::start;
use crate::raw_client::{Client, get};

/// Takes until it is cancelled, and tells that.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Endless;

impl EffectKind for Endless {
    type Output = ();
    const KIND: &'static str = "endless";
}

#[derive(Slot, Serialize, Deserialize)]
struct Nothing(Option<()>);

#[step]
fn ask_in_time() -> Decision<Nothing> {
    let both = all((effect(Endless).optional(), sleep(1.seconds().saturating_mul(3600)).optional()));
    Need(
        both.timeout(20.millis()).and_then(|_| effect(Endless).deadline(20.millis()).optional()).map(Nothing),
    )
}

#[step]
fn done(nothing: &Nothing) -> Response {
    Response::text(format!("{:?}", nothing.0))
}

#[test]
fn what_an_interpreter_has_spawned_learns_that_the_effect_is_over() {
    let (tell, told) = std::sync::mpsc::channel();
    let app = App::new().flow(flow!("in-time", GET "/in-time", steps: [ask_in_time, done])).interpreter(
        move |_: &Endless| {
            let ((guard, mut end), tell) = (CallGuard::new(), tell.clone());
            assert!(!end.is_over());
            tokio::spawn(async move {
                end.wait().await;
                tell.send(end.is_over()).unwrap();
            });
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        },
    );
    let (server, collector) = start(app);
    // A timer and a kind of the program's own have time limits as http has.
    assert_eq!(Client::connect(server.addr()).ask(get("/in-time")).body, "None");
    assert_eq!([told.recv(), told.recv()], [Ok(true), Ok(true)]);
    let messages: Vec<_> = collector
        .one()
        .events
        .iter()
        .filter_map(|event| match event {
            Event::EffectCompleted { answer: Answer::Err(error), .. } => Some(error.message.clone()),
            _ => None,
        })
        .collect();
    let expected =
        ["no answer within 20ms", "no answer within 20ms", "no answer before the deadline of its effect"];
    assert_eq!(messages, expected);
    server.stop();
}

/// What an actor gives that lives as long as the service.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Double(u64);

impl EffectKind for Double {
    type Output = u64;
    const KIND: &'static str = "double";
}

#[derive(Slot, Serialize, Deserialize)]
struct Doubled(u64);

#[step]
fn ask() -> Decision<Doubled> {
    Need(effect(Double(21)).map(Doubled))
}

#[step]
fn show(doubled: &Doubled) -> Response {
    Response::text(doubled.0.to_string())
}

fn app() -> App {
    App::new().flow(flow!("double", GET "/double", steps: [ask, show]))
}

fn wait(server: &zerver::Server) -> Result<(), zerver::StartError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(server.ready())
}

fn status(client: &mut Client) -> (u16, serde_json::Value) {
    let told = client.ask(get("/healthz"));
    (told.status, serde_json::from_str(&told.body).unwrap())
}

#[test]
fn it_listens_and_says_that_it_is_not_ready_until_it_is() {
    let (go, may_go) = oneshot::channel::<()>();
    let app = app().on_startup_async(async |live| {
        may_go.await?;
        let (asks, mut asked) = mpsc::unbounded_channel::<(u64, oneshot::Sender<u64>)>();
        tokio::spawn(async move {
            while let Some((number, answer)) = asked.recv().await {
                let _ = answer.send(2 * number);
            }
        });
        let asks = Mutex::new(asks);
        live.interpreter(move |double: &Double| {
            let (answer, answered) = oneshot::channel();
            asks.lock().unwrap().send((double.0, answer)).unwrap();
            async { answered.await.map_err(|_| EffectError::new(EffectErrorKind::Internal, "gone")) }
        });
        Ok(())
    });
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    let (code, told) = status(&mut client);
    assert_eq!((code, &told["status"]), (503, &"starting".into()));
    assert_eq!(client.ask(get("/healthz?live")).status, 200, "it lives");
    let answer = client.ask(get("/double"));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(matches!(&collector.one().outcome, Outcome::Rejected { reason } if reason.contains("not ready")));
    go.send(()).unwrap();
    wait(&server).unwrap();
    let (code, told) = status(&mut client);
    assert_eq!((code, &told["status"]), (200, &"ok".into()));
    assert_eq!(client.ask(get("/double")).body, "42");
    server.stop();
}

#[test]
fn one_that_cannot_become_ready_says_why() {
    for panics in [false, true] {
        let app = app().on_startup_async(async move |_| {
            assert!(!panics, "told to");
            Err(std::io::Error::other("no database at db:5432").into())
        });
        let (server, _collector) = start(app);
        let why = if panics { "the startup hook panicked" } else { "no database at db:5432" };
        assert_eq!(wait(&server).unwrap_err().to_string(), why);
        let mut client = Client::connect(server.addr());
        let (code, told) = status(&mut client);
        assert_eq!((code, &told["status"], &told["reason"]), (503, &"failed".into(), &why.into()));
        assert_eq!(client.ask(get("/double")).status, 503);
        server.stop();
    }
}

#[test]
fn one_that_is_stopped_before_it_is_ready_stops() {
    let (tell, mut told) = oneshot::channel::<()>();
    let app = app().on_startup_async(async move |_| {
        let _tell = tell;
        std::future::pending::<()>().await;
        Ok(())
    });
    let (server, _collector) = start(app);
    server.stop();
    // Dropped, and not forgotten.
    while told.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
        std::thread::yield_now();
    }
}

#[test]
fn a_limit_for_a_kind_that_there_is_not_is_a_mistake() {
    let limits = || {
        let effects_per_kind = [("doubel".to_owned(), 3)].into();
        zerver::Limits { effects_per_kind, ..zerver::Limits::default() }
    };
    let (server, _collector) = start(app().limits(limits()).on_startup_async(async |_| Ok(())));
    let wrong = wait(&server).unwrap_err().to_string();
    assert!(
        wrong.starts_with("limits.effects_per_kind names doubel, but this program performs only http"),
        "{wrong}"
    );
    server.stop();
}
