//! A cache and limits of rates that several processes share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use zerver::effects::cache::{self, Cache, cached};
use zerver::effects::rate_limit::{Allowance, Limit};
use zerver::prelude::*;
use zerver_redis::{self as redis, RateLimiter, Redis};

use crate::harness::{Client, cause, server, start};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ask;

impl EffectKind for Ask {
    const KIND: &'static str = "ask";
    type Output = (String, u32);
}

/// Creates a process with a cache in Redis, and a target that counts.
fn process(redis: &Redis, asked: &Arc<AtomicU32>) -> Client {
    let mut client = Client::of(redis.clone());
    client.interpreters.set(Cache::over(redis.clone()));
    client.interpreters.set(RateLimiter::new(redis));
    let asked = Arc::clone(asked);
    client.interpreters.set(move |_: &Ask| {
        let asked = Arc::clone(&asked);
        async move {
            tokio::task::yield_now().await;
            Ok::<_, EffectError>(("answer".to_owned(), asked.fetch_add(1, Ordering::SeqCst) + 1))
        }
    });
    client
}

#[test]
fn processes_share_the_values_of_a_cache() {
    let asked = Arc::new(AtomicU32::new(0));
    let new = || process(&Redis::from_url(&server().url()).unwrap(), &asked);
    let (first, second) = (new(), new());
    let value = || cached(("shared", 7), 1.minutes(), effect(Ask));
    let outputs = first.run(join_all((0..1000).map(|_| value()))).unwrap();
    assert!(outputs.iter().all(|output| *output == ("answer".to_owned(), 1)), "one of 1,000 asks");
    assert_eq!(second.run(value()).unwrap().1, 1, "another process finds it");
    let left = first.run(redis::ttl("zerver:cache:shared:7")).unwrap();
    assert!(left.unwrap() <= 1.minutes());
    second.run(cache::evict(("shared", 7))).unwrap();
    assert_eq!(first.run(value()).unwrap().1, 2);
    // What another program has left there is replaced.
    first.run(redis::set("zerver:cache:shared:7", "rubbish")).unwrap();
    assert_eq!(first.run(value()).unwrap().1, 3);
}

#[test]
fn a_cache_whose_store_is_down_asks_the_target() {
    let mut server = start();
    server.stop();
    let asked = Arc::new(AtomicU32::new(0));
    let client = process(&Redis::from_url(&server.url()).unwrap(), &asked);
    let value = || cached("down", 1.minutes(), effect(Ask));
    assert_eq!(client.run(value()).unwrap().1, 1);
    assert_eq!(client.run(value()).unwrap().1, 2);
    assert!(cause(client.run(cache::evict("down"))).starts_with("unreachable: "));
    server.resume().unwrap();
    assert_eq!(client.run(value()).unwrap().1, 3);
    assert_eq!(client.run(value()).unwrap().1, 3);
}

#[test]
fn processes_share_a_limit_that_is_exact() {
    let limit = Limit::per(100, 1.hours());
    let count = |client: Client| {
        std::thread::spawn(move || {
            let asked = client.run(join_all((0..300).map(|_| limit.check(("exact", "ann"))))).unwrap();
            asked.iter().filter(|allowance| allowance.allowed).count()
        })
    };
    let asked = Arc::new(AtomicU32::new(0));
    let new = || process(&Redis::from_url(&server().url()).unwrap(), &asked);
    let threads = [count(new()), count(new()), count(new())];
    let allowed: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(allowed, 100);
    let client = new();
    let refused = client.run(limit.check(("exact", "ann"))).unwrap();
    assert!(!refused.allowed && refused.retry_after_ms <= 36_000, "{refused:?}");
    assert_eq!(client.run(limit.enforce(("exact", "ann"))).unwrap_err().status(), 429);
    assert!(client.run(limit.check(("exact", "bob"))).unwrap().allowed);
    let several = client.run(limit.burst(10).check_many(("exact", "cy"), 4)).unwrap();
    assert_eq!(several, Allowance { allowed: true, remaining: 6, retry_after_ms: 0 });
    assert!(!client.run(limit.burst(10).check_many(("exact", "cy"), 7)).unwrap().allowed);
    let left = client.run(redis::ttl("zerver:rate:exact:cy")).unwrap().unwrap();
    assert!(left <= 144.seconds(), "the count expires when it has no effect any more: {left:?}");
}
