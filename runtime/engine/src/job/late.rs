//! When something was ready before it was taken.

use zerver_trace::{Datum, Event, Name, Thread};

/// The time in which something lay ready while the thread of its request was busy; see [`Event::Late`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// When it was ready.
    pub ready_ns: u64,
    /// When it is taken.
    pub at_ns: u64,
    /// The thread.
    pub thread: Option<Thread>,
    /// The flow of the step that ran there for most of that time; empty where none ran for long.
    pub flow: Name,
    /// That step.
    pub step: Name,
}

impl Late {
    pub(super) fn of(self, call: u32) -> Event<Datum> {
        let Self { ready_ns, at_ns, thread, flow, step } = self;
        Event::Late { call, ready_ns, at_ns, thread, flow, step }
    }
}
