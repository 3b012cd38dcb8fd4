//! Calls that the driver of a job has to start.

use std::time::Duration;

use super::call::Call;

/// A call that a job requests. Its driver starts it and passes the result to [`Job::complete`](crate::Job::complete).
#[derive(Debug)]
pub struct RequestedCall {
    /// Number of the call within its job.
    pub number: u32,
    /// The call.
    pub call: Call,
    /// Number of the attempt, from 1.
    pub attempt: u16,
    /// Number of the call that is the first attempt. It identifies the call in all its attempts.
    pub first: u32,
    /// Delay before the call starts: the pause between two attempts.
    pub pause: Duration,
    /// True if the call is the second of a hedge: the pause is the time that the first has to answer.
    pub is_hedge: bool,
    /// Time by which the call must have ended, including all waits, in nanoseconds since the request's head arrived. It
    /// comes from the [deadline](crate::Effect::deadline) of an effect that the call is part of, if there is one.
    pub deadline_ns: Option<u64>,
}

impl RequestedCall {
    /// Returns the time that the call may take if it starts now: its time limit, or the time left until its deadline if
    /// that is shorter.
    pub fn time_limit(&self, now_ns: u64) -> Option<Duration> {
        let left = self.deadline_ns.map(|end_ns| Duration::from_nanos(end_ns.saturating_sub(now_ns)));
        match (self.call.time_limit(), left) {
            (Some(own), Some(left)) => Some(own.min(left)),
            (own, left) => own.or(left),
        }
    }
}
