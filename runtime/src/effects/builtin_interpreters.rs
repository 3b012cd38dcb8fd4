//! The interpreters of the kinds of effect that come with zerver.

use super::interpreter::Interpreters;
use super::{clock, http, kv, sleep};

impl Interpreters {
    /// The interpreters of the kinds that come with zerver: a client for `http`, the timer and the clock of the machine,
    /// and a store in memory, which is empty, for `kv`.
    pub fn live() -> Self {
        let mut live = Self::new();
        live.set(http::Client::new());
        live.set(kv::Memory::new());
        live.set(sleep::Timer);
        live.set(clock::Wall);
        live
    }
}
