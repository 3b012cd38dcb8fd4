//! Readiness: a service that listens while its startup hook still runs.

use std::sync::Mutex;

use tokio::sync::{mpsc, oneshot};
use zerver::effects::CallGuard;
use zerver::effects::sleep;
use zerver::prelude::*;
use zerver_trace::{Answer, Event, Outcome};

use crate::collector::start;
use crate::raw_client::{Client, get};

/// An effect that runs until it is canceled.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Endless;

impl EffectKind for Endless {
    type Output = ();
    const KIND: &'static str = "endless";
}

#[derive(Slot, Serialize, Deserialize)]
struct Nothing(Option<()>);

#[step]
fn exceed_time_limits() -> Decision<Nothing> {
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
fn a_task_of_an_interpreter_is_notified_when_the_effect_ends() {
    let (sender, ended) = std::sync::mpsc::channel();
    let app = App::new()
        .flow(flow!("in-time", GET "/in-time", steps: [exceed_time_limits, done]))
        .interpreter(move |_: &Endless| {
            let ((guard, mut end), sender) = (CallGuard::new(), sender.clone());
            assert!(!end.is_over());
            tokio::spawn(async move {
                end.wait().await;
                sender.send(end.is_over()).unwrap();
            });
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        });
    let (server, collector) = start(app);
    // Time limits apply to timers and to kinds of the program.
    assert_eq!(Client::connect(server.addr()).request(get("/in-time")).body, "None");
    assert_eq!([ended.recv(), ended.recv()], [Ok(true), Ok(true)]);
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

/// An effect that an actor performs, which the startup hook spawns.
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
    let answer = client.request(get("/healthz"));
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[test]
fn a_service_listens_and_reports_that_it_is_starting_until_it_is_ready() {
    let (release, released) = oneshot::channel::<()>();
    let app = app().on_startup_async(async |startup| {
        released.await?;
        let (sender, mut requests) = mpsc::unbounded_channel::<(u64, oneshot::Sender<u64>)>();
        tokio::spawn(async move {
            while let Some((number, answer)) = requests.recv().await {
                let _ = answer.send(2 * number);
            }
        });
        let sender = Mutex::new(sender);
        startup.interpreter(move |double: &Double| {
            let (answer, answered) = oneshot::channel();
            sender.lock().unwrap().send((double.0, answer)).unwrap();
            async { answered.await.map_err(|_| EffectError::new(EffectErrorKind::Internal, "gone")) }
        });
        Ok(())
    });
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    let (code, health) = status(&mut client);
    assert_eq!((code, &health["status"]), (503, &"starting".into()));
    assert_eq!(client.request(get("/healthz?live")).status, 200, "the service is alive");
    let answer = client.request(get("/double"));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(matches!(&collector.one().outcome, Outcome::Rejected { reason } if reason.contains("not ready")));
    release.send(()).unwrap();
    wait(&server).unwrap();
    let (code, health) = status(&mut client);
    assert_eq!((code, &health["status"]), (200, &"ok".into()));
    assert_eq!(client.request(get("/double")).body, "42");
    server.stop();
}

#[test]
fn a_service_whose_startup_hook_fails_reports_the_reason() {
    for panics in [false, true] {
        let app = app().on_startup_async(async move |_| {
            assert!(!panics, "on purpose");
            Err(std::io::Error::other("no database at db:5432").into())
        });
        let (server, _collector) = start(app);
        let reason = if panics { "the startup hook panicked" } else { "no database at db:5432" };
        assert_eq!(wait(&server).unwrap_err().to_string(), reason);
        let mut client = Client::connect(server.addr());
        let (code, health) = status(&mut client);
        let expected = (503, &"failed".into(), &reason.into());
        assert_eq!((code, &health["status"], &health["reason"]), expected);
        assert_eq!(client.request(get("/double")).status, 503);
        server.stop();
    }
}

#[test]
fn a_service_can_be_stopped_before_it_is_ready() {
    let (sender, mut dropped) = oneshot::channel::<()>();
    let app = app().on_startup_async(async move |_| {
        let _sender = sender;
        std::future::pending::<()>().await;
        Ok(())
    });
    let (server, _collector) = start(app);
    server.stop();
    // The startup hook is dropped, not leaked.
    while dropped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
        std::thread::yield_now();
    }
}

#[test]
fn a_limit_for_an_unknown_kind_of_effect_is_an_error() {
    let limits = || {
        let effects_per_kind = [("doubel".to_owned(), 3)].into();
        zerver::Limits { effects_per_kind, ..zerver::Limits::default() }
    };
    let (server, _collector) = start(app().limits(limits()).on_startup_async(async |_| Ok(())));
    let error = wait(&server).unwrap_err().to_string();
    assert!(
        error.starts_with("limits.effects_per_kind names doubel, but this program performs only http"),
        "{error}"
    );
    server.stop();
}
