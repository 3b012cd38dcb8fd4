//! Effects outside a request, for example to fill a store before a service starts, and in tests.

use std::fmt;

use smallvec::SmallVec;

use super::attempt_end::RetryVerdict;
use super::call::CallResult;
use super::composition::Effect;
use super::machine::{EffectMachine, MachineContext, Progress};
use super::requested_call::RequestedCall;
use crate::{Failure, Random};

/// An effect that is performed outside a job. Like [`Job`](crate::Job), it is a state machine without I/O.
pub struct StandaloneEffect<T> {
    machine: EffectMachine<T>,
    next_call: u32,
    requested: SmallVec<[RequestedCall; 2]>,
    random: Random,
}

impl<T> StandaloneEffect<T> {
    /// Creates it. [`advance`](Self::advance) without a result starts it. The random numbers are for the pauses between
    /// attempts.
    pub fn new(effect: Effect<T>, random: Random) -> Self {
        Self { machine: effect.into_machine(0), next_call: 0, requested: SmallVec::new(), random }
    }

    /// Takes in the result of a call, by its number, and returns the output of the effect once there is one. Until
    /// then, calls are in flight or have to be started. `now_ns` is the time since the effect started.
    pub fn advance(&mut self, result: Option<(u32, CallResult)>, now_ns: u64) -> Option<Result<T, Failure>> {
        let mut context = MachineContext {
            next_call: &mut self.next_call,
            requested: &mut self.requested,
            random: self.random,
            now_ns,
        };
        if let Some((number, result)) = result {
            self.machine.complete(number, &result, &mut context, &mut |_| RetryVerdict::Own);
        }
        loop {
            match self.machine.advance(&mut context) {
                Progress::HasMore => {}
                Progress::Waiting => return None,
                Progress::Ended(output) => return Some(output),
            }
        }
    }

    /// Returns the calls to start, each once.
    pub fn take_requested_calls(&mut self) -> SmallVec<[RequestedCall; 2]> {
        std::mem::take(&mut self.requested)
    }
}

impl<T> fmt::Debug for StandaloneEffect<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_flight: Vec<u32> = self.machine.calls_in_flight().collect();
        f.debug_struct("StandaloneEffect").field("in_flight", &in_flight).finish_non_exhaustive()
    }
}
