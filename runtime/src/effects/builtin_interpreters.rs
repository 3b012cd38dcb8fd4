//! The interpreters of the kinds of effect that come with zerver.

#[cfg(feature = "http-client")]
use super::http;
use super::interpreter::Interpreters;
use super::{clock, kv, sleep};

impl Interpreters {
    /// Returns the interpreters of the built-in kinds: a client for `http`, the timer and the clock of the system, and an
    /// empty store in memory for `kv`.
    pub fn builtin() -> Self {
        let mut all = Self::new();
        #[cfg(feature = "http-client")]
        all.set(http::Client::new());
        all.set(kv::Memory::new());
        all.set(sleep::Timer);
        all.set(clock::SystemClock);
        all
    }
}
