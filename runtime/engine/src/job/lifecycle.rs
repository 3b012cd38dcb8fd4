//! Types at the boundary between a job and its driver: how it starts, what comes next, and what it leaves behind.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zerver_trace::{Event, Outcome, RequestId, SharedValue};

use crate::{Request, Response};

/// A request that has arrived, with the inputs that are fixed from then on.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The request.
    pub request: Arc<Request>,
    /// Its id.
    pub id: RequestId,
    /// Wall-clock time at which its head arrived, in nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// Seed of its random numbers.
    pub seed: u64,
}

/// Time that a driver gives a job to undo the effects of a failed request, from the failure on.
pub const UNDO_GRACE: Duration = Duration::from_secs(30);

/// Next action of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Call [`Job::run`](crate::Job::run): a step can run.
    Run,
    /// Check the clock, let others run, and call [`Job::advance`](crate::Job::advance): an effect has used up its
    /// quantum.
    Advance,
    /// Start the calls of [`Job::take_requested_calls`](crate::Job::take_requested_calls), and pass the result of each
    /// call in flight to [`Job::complete`](crate::Job::complete).
    Wait,
    /// Call [`Job::undo`](crate::Job::undo): the steps have ended the request, and an effect has to be undone, or the
    /// conclusion performed. From here on, neither
    /// the deadline nor the client ends the job, but only the end of [`UNDO_GRACE`].
    Undo,
    /// Send the head of the response ([`Job::streamed_response`](crate::Job::streamed_response)), and call
    /// [`Job::start_stream`](crate::Job::start_stream): only the body is missing. From here on, the deadline does not end the
    /// job, but the client can.
    Stream,
    /// Call [`Job::finish`](crate::Job::finish): the job has ended.
    Ended,
}

/// Reason why a driver stops a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The client has left.
    ClientLeft,
    /// The deadline of the request has passed.
    DeadlinePassed,
}

/// Result of a job.
pub struct FinishedJob {
    /// Outcome of the request.
    pub outcome: Outcome,
    /// Response, unless the client has left.
    pub response: Option<Response>,
    /// Events, in order.
    pub events: Vec<Event<SharedValue>>,
    /// Number of events that were dropped because there were too many.
    pub events_dropped: u32,
}

impl fmt::Debug for FinishedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishedJob")
            .field("outcome", &self.outcome)
            .field("response", &self.response)
            .field("events", &self.events.len())
            .field("events_dropped", &self.events_dropped)
            .finish()
    }
}
