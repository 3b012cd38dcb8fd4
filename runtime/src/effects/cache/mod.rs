//! A cache for the outputs of effects: a stampede of requests for the same value asks its target once.
//!
//! ```
//! use zerver::effects::{cache::cached, http};
//! use zerver::prelude::*;
//!
//! #[slot]
//! #[derive(Debug, Clone)]
//! struct Rate { cents: u64 }
//!
//! #[step]
//! fn load_rate(request: &Request) -> Decision<Rate> {
//!     let currency = request.param_str("currency").unwrap_or("eur").to_owned();
//!     let ask = http::get(format!("https://rates.example.com/{currency}")).json();
//!     Need(cached(("rate", currency), 1.minutes(), ask))
//! }
//! ```
//!
//! The first request that does not find the value performs the effect. Others that want it meanwhile wait, each within its
//! own time limits, and the trace says which it was: `hit`, `miss`, or `waited for another request`. If the effect fails,
//! those that wait fail, too, and the failure is not kept: the next request tries again. If the request that performs the
//! effect ends before it has the value, because it ran out of time or its client has left, one that waits takes over.
//!
//! The values are in memory, unless a service registers another [`Cache`]: a larger one, or one [over a
//! store](Cache::over) that several processes share. With such a store, each process performs the effect at most once at a
//! time. There is no lock across processes: it would have to expire, and no time is right for every effect.

mod flight;
mod interpreter;
mod memory;
mod operation;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zerver_engine::{Call, Effect, EffectError, EffectKind, Failure, FailureKind, Shared, effect};

pub use self::flight::Lease;
pub use self::interpreter::{Cache, Store};
pub use self::operation::{Answer, Op, SharedFailure};
use crate::effects::kv::{Key, Stored};

/// Returns a copy of the value of a key, if the cache has it, or else performs the effect and keeps its output for this
/// time. [`cached_shared`] does not copy.
pub fn cached<T>(key: impl Into<Key>, expires_in: Duration, effect: Effect<T>) -> Effect<T>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    let key = key.into();
    let lookup = get(key.clone(), |value| value.get().ok());
    obtain(key, expires_in, lookup, effect, |value: T| (Stored::new(value.clone()), value))
}

/// Returns the value of a key, shared with the cache, if the cache has it, or else performs the effect and keeps its output
/// for this time.
pub fn cached_shared<T>(key: impl Into<Key>, expires_in: Duration, effect: Effect<T>) -> Effect<Shared<T>>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let key = key.into();
    let lookup = get(key.clone(), |value| value.get_shared().ok());
    obtain(key, expires_in, lookup, effect, |value: T| {
        let value = Shared::new(value);
        (Stored::shared(value.clone()), value)
    })
}

/// Deletes the value of a key, so that the next request obtains it again. A request that is obtaining it is not affected.
pub fn evict(key: impl Into<Key>) -> Effect<()> {
    effect(Op::Evict { key: key.into() }).map(|_| ())
}

/// Result of a lookup.
enum Lookup<T> {
    Found(T),
    /// The request obtains the value.
    Missing(Lease),
}

fn get<T: Send + 'static>(
    key: Key,
    read: impl Fn(&Stored) -> Option<T> + Send + 'static,
) -> Effect<Lookup<T>> {
    let convert = move |answer: Result<&Answer, EffectError>| match answer {
        // A value of another type was stored by another version of the program, and is replaced.
        Ok(Answer::Hit(value) | Answer::Waited(value)) => {
            Ok(read(value).map_or_else(|| Lookup::Missing(Lease::none()), Lookup::Found))
        }
        Ok(Answer::Miss { lease, .. }) => {
            // The answer is kept until it has been recorded. The right to obtain the value must end with the request.
            Ok(Lookup::Missing(lease.take().map_or_else(Lease::none, Lease::new)))
        }
        Ok(Answer::Failed(failure)) => Err(failure.to_failure()),
        Ok(other) => Err(Failure::internal(Op::KIND).message(format_args!("unexpected answer: {other}"))),
        Err(error) => Err(Failure::from_effect(Op::KIND, &error)),
    };
    Effect::from_call::<Op>(Call::new(Op::Get { key }), convert)
}

fn obtain<T: Send + 'static, U: Send + 'static>(
    key: Key,
    expires_in: Duration,
    lookup: Effect<Lookup<U>>,
    effect: Effect<T>,
    share: impl FnOnce(T) -> (Stored, U) + Send + 'static,
) -> Effect<U> {
    lookup.and_then(move |lookup| {
        let lease = match lookup {
            Lookup::Found(value) => return Effect::ready(value),
            Lookup::Missing(lease) => lease,
        };
        effect.attempt().and_then(move |output| match output {
            Ok(output) => {
                let (value, output) = share(output);
                let expires_in_ms = u64::try_from(expires_in.as_millis()).unwrap_or(u64::MAX);
                // A cache that cannot store the value says so in the trace. The value is there.
                zerver_engine::effect(Op::Put { key, value, expires_in_ms, lease }).attempt().map(|_| output)
            }
            Err(failure) => {
                // A limit of this request is not one of the others.
                if failure.kind() != FailureKind::Timeout
                    && let Some(leader) = lease.take()
                {
                    leader.fail(&SharedFailure::of(&failure));
                }
                Effect::fail(failure)
            }
        })
    })
}
