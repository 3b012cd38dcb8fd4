//! What holds for the calls of a part of an effect: how they are tried again, and how much time they have.

use std::sync::Arc;
use std::time::Duration;

use super::Retry;

/// One word about all calls of an effect.
pub(super) enum Word {
    /// See [`Effect::retry`](crate::Effect::retry).
    Retry(Retry),
    /// See [`Effect::timeout`](crate::Effect::timeout).
    Timeout(Duration),
    /// See [`Effect::deadline`](crate::Effect::deadline).
    Deadline(Duration),
}

/// What several words, one within another, come to.
#[derive(Clone, Default)]
pub(super) struct Scope {
    pub(super) retry: Option<Retry>,
    pub(super) timeout: Option<Duration>,
    pub(super) until_ns: Option<u64>,
}

/// The words that hold, the innermost last.
#[derive(Clone, Default)]
pub(super) struct Scopes(Vec<Arc<Scope>>);

impl Scopes {
    pub(super) fn begin(&mut self, word: Word, now_ns: u64) {
        let mut scope = self.0.last().map_or_else(Scope::default, |scope| Scope::clone(scope));
        match word {
            Word::Retry(retry) => scope.retry = Some(retry),
            Word::Timeout(limit) => {
                scope.timeout = Some(scope.timeout.map_or(limit, |outer| outer.min(limit)))
            }
            Word::Deadline(limit) => {
                let until_ns = now_ns.saturating_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
                scope.until_ns = Some(scope.until_ns.map_or(until_ns, |outer| outer.min(until_ns)));
            }
        }
        self.0.push(Arc::new(scope));
    }

    pub(super) fn end(&mut self) {
        self.0.pop();
    }

    pub(super) fn current(&self) -> Option<&Arc<Scope>> {
        self.0.last()
    }

    /// Those of a part.
    pub(super) fn inner(&self) -> Self {
        Self(self.0.last().map(Arc::clone).into_iter().collect())
    }
}
