//! The cache: hits, stampedes, failures, deadlines and leaders that give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use zerver::effects::cache::{self, Cache, cached, cached_shared};
use zerver::effects::{EffectContext, Interpreters};
use zerver::prelude::*;
use zerver_trace::{Answer, Event, Value};

use crate::collector::start;
use crate::raw_client::{Client, get};

/// Asks the target, which counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ask {
    name: String,
}

impl EffectKind for Ask {
    const KIND: &'static str = "ask";
    type Output = u32;
}

fn ask(name: &str) -> Effect<u32> {
    effect(Ask { name: name.to_owned() })
}

/// The target. It answers as soon as it is released, with the number of times that it has been asked.
#[derive(Default)]
struct Target {
    asked: AtomicU32,
    released: Notify,
}

impl Target {
    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

fn interpreters() -> (Interpreters, Arc<Target>) {
    let target = Arc::new(Target::default());
    let mut interpreters = Interpreters::builtin();
    let asked = Arc::clone(&target);
    interpreters.set(move |ask: &Ask| {
        let (target, name) = (Arc::clone(&asked), ask.name.clone());
        async move {
            let number = target.asked.fetch_add(1, Ordering::SeqCst) + 1;
            match name.as_str() {
                "slow" => target.released.notified().await,
                "failing" => {
                    target.released.notified().await;
                    return Err(EffectError::new(EffectErrorKind::Unreachable, "no route"));
                }
                _ => {}
            }
            Ok::<u32, EffectError>(number)
        }
    });
    (interpreters, target)
}

async fn perform<T>(interpreters: &Interpreters, effect: Effect<T>) -> Result<T, Failure> {
    interpreters.perform(effect, &EffectContext::default()).await
}

#[tokio::test]
async fn a_value_is_obtained_once_until_it_expires_or_is_evicted() {
    let (mut interpreters, target) = interpreters();
    let now = Arc::new(AtomicU32::new(1));
    let clock = Arc::clone(&now);
    interpreters.set(Cache::in_memory_with_clock(100, move || {
        Duration::from_secs(clock.load(Ordering::SeqCst).into())
    }));
    let fast = || cached("fast", 10.seconds(), ask("fast"));
    assert_eq!(perform(&interpreters, fast()).await, Ok(1));
    assert_eq!(perform(&interpreters, fast()).await, Ok(1));
    now.store(12, Ordering::SeqCst);
    assert_eq!(perform(&interpreters, fast()).await, Ok(2));
    perform(&interpreters, cache::evict("fast")).await.unwrap();
    assert_eq!(perform(&interpreters, fast()).await, Ok(3));
    let shared = perform(&interpreters, cached_shared("fast", 10.seconds(), ask("fast"))).await;
    assert_eq!(*shared.unwrap(), 3);
    // A value of another type is replaced.
    let text = cached("fast", 10.seconds(), ask("fast").map(|number| number.to_string()));
    assert_eq!(perform(&interpreters, text).await, Ok("4".to_owned()));
    assert_eq!(target.asked(), 4);
}

#[tokio::test]
async fn a_stampede_asks_the_target_once() {
    let (interpreters, target) = interpreters();
    let requests = (0..1000).map(|_| perform(&interpreters, cached("slow", 10.seconds(), ask("slow"))));
    let all = futures_util::future::join_all(requests);
    let release = async {
        tokio::task::yield_now().await;
        target.released.notify_one();
    };
    let (outputs, ()) = tokio::join!(all, release);
    assert!(outputs.into_iter().all(|output| output == Ok(1)));
    assert_eq!(target.asked(), 1);
}

#[tokio::test]
async fn a_failure_reaches_those_that_wait_and_is_not_kept() {
    let (interpreters, target) = interpreters();
    let failing = || perform(&interpreters, cached("failing", 10.seconds(), ask("failing")));
    let release = async {
        tokio::task::yield_now().await;
        target.released.notify_one();
    };
    let (first, second, ()) = tokio::join!(failing(), failing(), release);
    let (first, second) = (first.unwrap_err(), second.unwrap_err());
    assert_eq!((first.status(), second.status()), (503, 503));
    assert_eq!(first.what(), "ask");
    assert!(second.causes()[0].starts_with("another request failed to obtain the value: "), "{second:?}");
    assert_eq!(target.asked(), 1);
    let release = async { target.released.notify_one() };
    let (third, ()) = tokio::join!(failing(), release);
    assert!(third.is_err());
    assert_eq!(target.asked(), 2);
}

#[tokio::test]
async fn each_request_waits_within_its_own_time_and_one_that_ends_hands_over() {
    let (interpreters, target) = interpreters();
    let slow = || cached("slow", 10.seconds(), ask("slow"));
    let leader = perform(&interpreters, slow().deadline(30.millis()));
    let impatient = perform(&interpreters, slow().timeout(10.millis()));
    let patient = perform(&interpreters, slow());
    let release = async {
        while target.asked() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        target.released.notify_one();
    };
    let (leader, impatient, patient, ()) = tokio::join!(leader, impatient, patient, release);
    assert_eq!(leader.unwrap_err().status(), 504);
    assert_eq!(impatient.unwrap_err().status(), 504);
    assert_eq!(patient, Ok(2));
}

#[slot]
#[derive(Debug, Clone)]
struct Number(u32);

#[step]
fn load(request: &Request) -> Decision<Number> {
    let name = request.param_str("name").unwrap_or_default();
    Need(cached(("number", name), 1.minutes(), ask(name)).map(Number))
}

#[step]
fn render(number: &Number) -> Response {
    Response::text(number.0.to_string())
}

#[test]
fn the_trace_says_where_the_value_came_from() {
    let target = Arc::new(Target::default());
    let asked = Arc::clone(&target);
    let app = App::new().flow(flow!("number", GET "/{name}", steps: [load, render])).interpreter(
        move |ask: &Ask| {
            let (target, is_slow) = (Arc::clone(&asked), ask.name == "slow");
            async move {
                let number = target.asked.fetch_add(1, Ordering::SeqCst) + 1;
                if is_slow {
                    target.released.notified().await;
                }
                Ok::<u32, EffectError>(number)
            }
        },
    );
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/fast")).body, "1");
    assert_eq!(client.request(get("/fast")).body, "1");
    let mut others: Vec<_> = (0..3).map(|_| Client::connect(server.addr())).collect();
    for (at, other) in others.iter_mut().enumerate() {
        other.send(get("/slow"));
        // Until all of them wait, a request that leaves is counted by none of the others.
        while at == 0 && target.asked() < 2 {
            std::thread::yield_now();
        }
    }
    // The first leads. When it leaves, another one takes over, and the last one waits for it.
    drop(others.remove(0));
    while target.asked() < 3 {
        std::thread::yield_now();
    }
    target.released.notify_one();
    for other in &mut others {
        assert_eq!(other.answer().unwrap().body, "3");
    }
    let captures = collector.wait_for(5);
    let shown = |at: usize| -> Vec<String> {
        let answers = captures[at].events.iter().filter_map(|event| match event {
            Event::EffectCompleted { answer: Answer::Ok(output), .. } => {
                Some(Value::from_recordable(&**output).unwrap().to_string())
            }
            _ => None,
        });
        answers.collect()
    };
    assert_eq!(shown(0).len(), 3, "{:?}", shown(0));
    assert!(shown(0)[0].starts_with("Miss") && shown(0)[2].starts_with("Stored"), "{:?}", shown(0));
    assert_eq!(shown(1), ["Hit(1)"]);
    let mut rest: Vec<_> = [2, 3, 4].map(shown).into_iter().flatten().collect();
    rest.sort();
    // On a busy machine, the last one may arrive after the value.
    assert!(rest.iter().any(|answer| answer == "Waited(3)" || answer == "Hit(3)"), "{rest:?}");
}

#[test]
fn a_flow_with_a_cache_is_tested_without_one() {
    let app = || App::new().flow(flow!("number", GET "/{name}", steps: [load, render]));
    let lookup = || effect(cache::Op::Get { key: ("number", "a").into() });
    let hit = cache::Answer::Hit(zerver::effects::kv::Stored::new(7));
    assert_eq!(app().test("number").get("/a").answer(lookup(), hit).run().text(), "7");
}
