//! Detects parts of requests that were read right after a long step. While a worker runs a step it reads nothing, and
//! afterwards the exact arrival is unknown: it lies between the last poll of the sockets before the step and now.

use zerver_trace::{Event, RequestPart, SharedValue};

use super::thread_status::ThreadStatus;
use crate::scheduler::shared_state::SchedulerState;
use crate::server::workers::worker::Worker;

impl Worker {
    /// Returns the event of a delayed read, if a long step may have delayed a part of a request that is read at `now_ns`
    /// and cannot have arrived before `since_ns`.
    pub(crate) fn read_delay(
        &self,
        part: RequestPart,
        since_ns: impl FnOnce() -> u64,
        now_ns: u64,
    ) -> Option<Event<SharedValue>> {
        let last_end_ns = self.thread_status.long_steps.last_end_ns();
        let idle_until_ns = self.thread_status.counters.idle_until_ns();
        if last_end_ns <= idle_until_ns {
            return None;
        }
        let unread_since_ns = since_ns().max(idle_until_ns).max(self.run_queue.read_until_ns());
        if last_end_ns <= unread_since_ns {
            return None;
        }
        delay_event(&self.thread_status, &self.service.scheduler, part, unread_since_ns, now_ns)
    }

    /// Does the same for the head of the first request of a connection. The connection was accepted at `since_ns`, and its
    /// worker opened it at `opened_ns`.
    pub(crate) fn first_read_delay(
        &self,
        since_ns: u64,
        opened_ns: u64,
        now_ns: u64,
    ) -> Option<Event<SharedValue>> {
        // After a complete pass since then, everything that the client had sent before has been read.
        if self.run_queue.read_until_ns().max(self.thread_status.counters.idle_until_ns()) > opened_ns {
            return None;
        }
        delay_event(&self.thread_status, &self.service.scheduler, RequestPart::Head, since_ns, now_ns)
    }
}

#[cold]
fn delay_event(
    thread_status: &ThreadStatus,
    scheduler: &SchedulerState,
    part: RequestPart,
    since_ns: u64,
    now_ns: u64,
) -> Option<Event<SharedValue>> {
    let long_step = thread_status.long_steps.longest_between(since_ns, now_ns)?;
    let unread_ns = now_ns.saturating_sub(since_ns);
    if part == RequestPart::Head {
        thread_status.counters.delayed_heads.add(1);
        thread_status.counters.head_delay_ns.add(unread_ns);
    }
    let (flow, step) = scheduler.names(&long_step);
    Some(Event::ReadDelayed { part, unread_ns, ran_ns: long_step.ran_ns(), flow, step })
}
