//! Access to everything that an effect needs to start: the threads that perform it, the limits on effects in flight, and
//! the state of its target.

use std::sync::Arc;

use tokio::runtime::Handle;
use zerver_engine::Call;

use super::effect_limits::{Admission, Permit};
use super::shared_state::SchedulerState;
use super::targets::Target;
use crate::time::Stopwatch;

/// Access of one request to what its effects need.
#[derive(Clone, Copy)]
pub(crate) struct EffectAccess<'a> {
    pub(crate) scheduler: &'a SchedulerState,
    /// Runtime on which effects are performed.
    pub(crate) runtime: &'a Handle,
    /// Arrival of the request's head, on the service's clock.
    pub(crate) base_ns: u64,
    /// True on a batch worker, whose effects give way to others.
    pub(crate) is_batch: bool,
}

impl EffectAccess<'_> {
    /// Requests a permit for an effect.
    pub(crate) fn acquire_permit(&self, call: &Call, target: Option<(&str, Option<usize>)>) -> Admission {
        self.scheduler.effect_limiter.acquire(call, target, self.is_batch)
    }

    /// Returns the state of a target.
    pub(crate) fn find_target(&self, name: &str, watch: &Stopwatch) -> Option<Arc<Target>> {
        self.scheduler.targets.find(name, self.service_ns(watch))
    }

    /// Returns the last reading of the watch, on the clock of the service.
    pub(crate) const fn service_ns(&self, watch: &Stopwatch) -> u64 {
        self.base_ns + watch.now_ns()
    }

    /// Counts an effect in flight to which no limit applies.
    pub(crate) fn count_in_flight(&self, call: &Call) -> Option<Permit> {
        self.scheduler.effect_limiter.count_in_flight(call.kind())
    }
}
