//! Facts about a request that the scheduler carries with it from thread to thread.

use zerver_engine::{Class, RequestId};

use crate::execution::active_request::ActiveRequest;

/// What the scheduler knows of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    pub(crate) id: RequestId,
    pub(crate) class: Class,
    pub(crate) flow: u16,
    /// When its head arrived, on the service's clock.
    pub(crate) base_ns: u64,
    /// Since then.
    pub(crate) deadline_ns: u64,
    /// Of its class, when it began.
    pub(crate) quantum_ns: u64,
}

impl Placement {
    /// What time it is, on the service's clock.
    pub(crate) fn now_ns(&self, active: &ActiveRequest) -> u64 {
        self.base_ns + active.watch.now_ns()
    }
}

/// How a drive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DriveEnd {
    /// The job is at its end.
    Finished,
    /// It is to go on at low priority, because of this step.
    Reclassified(u16),
}
