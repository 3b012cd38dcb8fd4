//! A call that a job asks for, to be started by its driver.

use std::time::Duration;

use crate::Call;

/// A call to start.
#[derive(Debug)]
pub struct Start {
    /// Names the call within its job; [`Job::complete`](crate::Job::complete) wants it back.
    pub number: u32,
    /// The call.
    pub call: Call,
    /// Which try of it this is, from 1.
    pub attempt: u16,
    /// For how long to wait before it begins: what there is between two attempts.
    pub pause: Duration,
    /// When it must have ended, whatever it waits for, in nanoseconds since the request's head had arrived: the deadline of
    /// an effect that it is part of. None where only its own time limit and the request's deadline hold.
    pub until_ns: Option<u64>,
}

impl Start {
    /// How long it may take if it begins now: its own time limit, or what is left until it must have ended.
    pub fn limit(&self, now_ns: u64) -> Option<Duration> {
        let left = self.until_ns.map(|until_ns| Duration::from_nanos(until_ns.saturating_sub(now_ns)));
        match (self.call.time_limit(), left) {
            (Some(own), Some(left)) => Some(own.min(left)),
            (own, left) => own.or(left),
        }
    }
}
