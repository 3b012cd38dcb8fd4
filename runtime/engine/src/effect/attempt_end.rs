//! The end of an attempt, and the decision whether another one follows.

use std::fmt;
use std::time::Duration;

use super::call::{Call, CallResult};
use super::retry::Retry;
use crate::Random;

/// An attempt of a call that has ended. The owner of a job decides about another one; see
/// [`Job::complete_with`](crate::Job::complete_with).
pub struct AttemptEnd<'a> {
    /// Number of the attempt, from 1.
    pub attempt: u16,
    /// Result of the attempt.
    pub result: &'a CallResult,
    /// True if the effect has a retry policy of its own that applies to the call.
    pub has_own_policy: bool,
    /// Pause before the next attempt by that policy, or `None` if it makes no other one.
    pub own_pause: Option<Duration>,
    /// Time by which the call must have ended, in nanoseconds since the arrival of the request's head. `None` if only the
    /// deadline of the request applies.
    pub deadline_ns: Option<u64>,
    pub(super) next_call: u32,
    pub(super) random: Random,
}

impl AttemptEnd<'_> {
    /// Returns the pause before the next attempt by this policy.
    pub fn pause(&self, retry: &Retry) -> Duration {
        retry.pause_after(self.attempt, self.next_call, self.random)
    }
}

impl fmt::Debug for AttemptEnd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptEnd")
            .field("attempt", &self.attempt)
            .field("own_pause", &self.own_pause)
            .finish_non_exhaustive()
    }
}

/// Decision about another attempt.
#[derive(Debug, Clone)]
pub enum RetryVerdict {
    /// The effect's own policy decides.
    Own,
    /// No other attempt is made.
    Stop,
    /// The attempt of the effect's own policy is made after this pause instead.
    After(Duration),
    /// The call is made again after this pause, whatever the effect's own policy says.
    Again(Call, Duration),
}
