//! Interpreters of the built-in kinds of effects.

#[cfg(feature = "http-client")]
use super::http;
use super::interpreter::Interpreters;
use super::{cache, clock, kv, rate_limit, sleep};
use crate::idempotency::PolicyReader;

impl Interpreters {
    /// Returns the interpreters of the built-in kinds: a client for `http`, the timer and the clock of the system, and
    /// empty stores in memory for `kv`, `cache` and `rate_limit`.
    pub fn builtin() -> Self {
        let mut interpreters = Self::new();
        #[cfg(feature = "http-client")]
        interpreters.set(http::Client::new());
        interpreters.set(kv::Memory::new());
        interpreters.set(cache::Cache::default());
        interpreters.set(rate_limit::Memory::new());
        interpreters.set(sleep::Timer);
        interpreters.set(clock::SystemClock);
        interpreters.set(PolicyReader::default());
        interpreters
    }
}
