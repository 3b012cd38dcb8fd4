//! Effects as steps request them: the forms that compile, and their events in a trace.

use std::sync::Arc;

use zerver::effects::{EffectContext, Interpreters, Started};
use zerver::effects::{clock, http, kv, sleep};
use zerver::engine::{Arrival, Flow, Job, Next};
use zerver::prelude::*;

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Claims {
    sub: String,
}

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
struct Todo {
    id: u64,
    title: String,
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Hits(i64);

#[step]
fn wait() -> Decision<()> {
    Need(sleep(1.millis()))
}

#[step]
fn save() -> Decision<()> {
    let todo = Todo { id: 7, title: "Buy milk".to_owned() };
    Need(all((kv::put(("todo", 7), todo), kv::delete("old"))).map(|((), _)| ()))
}

#[step]
fn count() -> Decision<Hits> {
    Need(kv::expires_in(1.minutes()).add(("hits", "10.0.0.1"), 1).map(Hits))
}

#[step]
fn load() -> Decision<Shared<Todo>> {
    Need(kv::get_shared(("todo", 7)).or_not_found("todo", 7))
}

#[step]
fn verify(hits: &Hits) -> Decision<Claims> {
    let token = format!("token-{}", hits.0);
    Need(http::get("https://idp.invalid/verify").query("a", "b").bearer(&token).timeout(300.millis()).json())
}

#[step]
fn render(todo: &Todo, claims: &Claims) -> Response {
    Response::text(format!("{} {}", claims.sub, todo.title))
}

/// Drives a job, and completes its effects at once.
fn drive(def: &FlowDef, interpreters: &Interpreters) -> zerver::engine::FinishedJob {
    let flow = Flow::new(def, |failure: &Failure, _| failure.to_response()).unwrap();
    let request = Arc::new(Request::get("/"));
    let arrival = Arrival { request, id: RequestId::from_u128(7), unix_ns: 0, seed: 0 };
    let mut job = Job::new(Arc::new(flow), arrival, 0);
    let mut next = Next::Run;
    while next != Next::Ended {
        next = match next {
            Next::Run => job.run(0, || 0),
            Next::Advance => job.advance(0),
            _ => {
                let started = job.take_requested_calls();
                started.into_iter().fold(Next::Wait, |_, start| {
                    let performed = match interpreters.start(&start.call, &EffectContext::default()) {
                        Started::Ready(performed) => performed,
                        Started::Pending(future) => block_on(future),
                    };
                    job.complete(start.number, 0, performed)
                })
            }
        };
    }
    job.finish()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn a_trace_summarizes_each_effect_and_its_result() {
    let mut interpreters = Interpreters::builtin();
    interpreters.set(|request: &http::Request| {
        let reply = match request.headers[0].value.as_ref() {
            b"Bearer token-1" => http::Reply::from_json(&serde_json::json!({"sub": "u1"})).unwrap(),
            _ => http::Reply::new(401),
        };
        async { Ok(reply) }
    });
    let flow = flow!("f", GET "/", steps: [wait, save, count, load, verify, render]);
    let ended = drive(&flow, &interpreters);
    assert_eq!(ended.response.as_ref().unwrap().body, "u1 Buy milk");

    let mut lines = String::new();
    for event in &ended.events {
        let line = match event {
            zerver_trace::Event::EffectRequested { kind, args, .. } => {
                format!("{kind} {}", args.summary().unwrap())
            }
            zerver_trace::Event::EffectCompleted { answer: zerver_trace::Answer::Ok(output), .. } => {
                format!("  {}", output.summary().unwrap())
            }
            _ => continue,
        };
        lines.push_str(&line);
        lines.push('\n');
    }
    assert_eq!(
        lines,
        "sleep 1ms\n  done\n\
         kv put todo:7\nkv delete old\n  stored\n  absent\n\
         kv add 1 to hits:10.0.0.1 for 60s\n  1\n\
         kv get todo:7\n  found\n\
         http GET idp.invalid/verify?..\n  200, 12 bytes\n"
    );

    // In the second run, the count of the window continues, and the upstream rejects the token.
    let ended = drive(&flow, &interpreters);
    let zerver_trace::Outcome::Failed(failure) = ended.outcome else { panic!("{:?}", ended.outcome) };
    assert_eq!((failure.to_string().as_str(), failure.call), ("bad_upstream http", Some(5)));
    assert_eq!(failure.causes, ["GET idp.invalid/verify?..: answered 401"]);
}

#[tokio::test]
async fn the_clock_returns_the_current_time() {
    let live = Interpreters::builtin();
    let earlier = live.perform(clock::now(), &EffectContext::default()).await.unwrap();
    let later =
        live.perform(sleep(2.millis()).and_then(|()| clock::now()), &EffectContext::default()).await.unwrap();
    assert!(later.since(ArrivalTime { unix_ns: earlier.unix_ns }) >= 2.millis(), "{earlier:?} {later:?}");
    assert_eq!(later.unix_s(), later.system_time().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs());
}

#[tokio::test]
async fn a_time_limit_also_applies_outside_a_request() {
    let mut interpreters = Interpreters::new();
    interpreters.set(|_: &http::Request| std::future::pending());
    let effect = http::get("http://localhost/").timeout(1.millis()).send();
    let failure = interpreters.perform(effect, &EffectContext::default()).await.unwrap_err();
    assert_eq!(failure.kind(), zerver::engine::FailureKind::Timeout);
    let failure = interpreters.perform(clock::now(), &EffectContext::default()).await.unwrap_err();
    assert_eq!(failure.to_string(), "internal clock");
}
