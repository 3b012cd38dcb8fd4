//! Options that apply to all calls of a part of an effect: retries and time limits.

use std::sync::Arc;
use std::time::Duration;

use super::hedge::Hedge;
use super::retry::Retry;

/// An option of a scope.
pub(super) enum CallOption {
    /// See [`Effect::retry`](crate::Effect::retry).
    Retry(Retry),
    /// See [`Effect::timeout`](crate::Effect::timeout).
    Timeout(Duration),
    /// See [`Effect::deadline`](crate::Effect::deadline).
    Deadline(Duration),
    /// See [`Effect::hedge`](crate::Effect::hedge).
    Hedge(Hedge),
}

/// Combination of all options that apply at one place.
#[derive(Clone, Default)]
pub(super) struct CallScope {
    pub(super) retry: Option<Retry>,
    pub(super) timeout: Option<Duration>,
    pub(super) deadline_ns: Option<u64>,
    pub(super) hedge: Option<Hedge>,
}

/// Nested scopes, the innermost last. Each includes the options of those around it.
#[derive(Clone, Default)]
pub(super) struct CallScopes(Vec<Arc<CallScope>>);

impl CallScopes {
    pub(super) fn begin(&mut self, option: CallOption, now_ns: u64) {
        let mut scope = self.0.last().map_or_else(CallScope::default, |scope| CallScope::clone(scope));
        match option {
            CallOption::Retry(retry) => scope.retry = Some(retry),
            CallOption::Hedge(hedge) => scope.hedge = Some(hedge),
            CallOption::Timeout(limit) => {
                scope.timeout = Some(scope.timeout.map_or(limit, |outer| outer.min(limit)))
            }
            CallOption::Deadline(limit) => {
                let end_ns = now_ns.saturating_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
                scope.deadline_ns = Some(scope.deadline_ns.map_or(end_ns, |outer| outer.min(end_ns)));
            }
        }
        self.0.push(Arc::new(scope));
    }

    pub(super) fn end(&mut self) {
        self.0.pop();
    }

    pub(super) fn current(&self) -> Option<&Arc<CallScope>> {
        self.0.last()
    }

    /// Returns the scopes for a member of a group that is performed here.
    pub(super) fn for_member(&self) -> Self {
        Self(self.0.last().map(Arc::clone).into_iter().collect())
    }
}
