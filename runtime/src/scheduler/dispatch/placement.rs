//! Facts about a request that accompany it from thread to thread.

use zerver_engine::{Class, RequestId};

use crate::execution::active_request::ActiveRequest;

/// Facts that the scheduler needs about a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    pub(crate) id: RequestId,
    pub(crate) class: Class,
    pub(crate) flow: u16,
    /// Arrival of its head, on the service's clock.
    pub(crate) base_ns: u64,
    /// Deadline, in nanoseconds since the arrival of the head.
    pub(crate) deadline_ns: u64,
    /// Quantum of its class when it began.
    pub(crate) quantum_ns: u64,
}

impl Placement {
    /// Returns the current time, on the service's clock.
    pub(crate) fn now_ns(&self, active: &ActiveRequest) -> u64 {
        self.base_ns + active.watch.now_ns()
    }
}

/// Reason why the driver stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DriveEnd {
    /// The job has ended.
    Finished,
    /// The job must continue in the batch pool because this step often exceeds the quantum.
    Reclassified(u16),
}
