//! Finds out what was read right after a long step. While a worker is in a step it reads nothing, and when it does, nobody
//! can say since when that has been there: between the last look at the sockets before the step, and now.

use zerver_trace::{Event, RequestPart, SharedValue};

use super::thread_status::ThreadStatus;
use crate::scheduler::shared_state::SchedulerState;
use crate::server::workers::worker::Worker;

impl Worker {
    /// The long step for which a part of a request may have lain unread that is read at `now_ns`, and cannot have come
    /// before `since_ns`.
    pub(crate) fn read_delay(
        &self,
        part: RequestPart,
        since_ns: impl FnOnce() -> u64,
        now_ns: u64,
    ) -> Option<Event<SharedValue>> {
        let (last_ns, rested_ns) =
            (self.thread_status.long_steps.last_end_ns(), self.thread_status.counters.rested_ns());
        if last_ns <= rested_ns {
            return None;
        }
        let unread_since_ns = since_ns().max(rested_ns).max(self.run_queue.read_until_ns());
        if last_ns <= unread_since_ns {
            return None;
        }
        delay(&self.thread_status, &self.service.scheduler, part, unread_since_ns, now_ns)
    }

    /// The same for the head of the first request of a connection, which was accepted at `since_ns` and has been opened at
    /// `opened_ns`, when its worker had time for it.
    pub(crate) fn first_read_delay(
        &self,
        since_ns: u64,
        opened_ns: u64,
        now_ns: u64,
    ) -> Option<Event<SharedValue>> {
        // Once it has come round, what its client had sent by then has been read.
        if self.run_queue.read_until_ns().max(self.thread_status.counters.rested_ns()) > opened_ns {
            return None;
        }
        delay(&self.thread_status, &self.service.scheduler, RequestPart::Head, since_ns, now_ns)
    }
}

#[cold]
fn delay(
    thread_status: &ThreadStatus,
    scheduler: &SchedulerState,
    part: RequestPart,
    since_ns: u64,
    now_ns: u64,
) -> Option<Event<SharedValue>> {
    let run = thread_status.long_steps.most_of(since_ns, now_ns)?;
    let unread_ns = now_ns.saturating_sub(since_ns);
    if part == RequestPart::Head {
        thread_status.counters.delayed_heads.add(1);
        thread_status.counters.head_delay_ns.add(unread_ns);
    }
    let (flow, step) = scheduler.names(&run);
    Some(Event::ReadDelayed { part, unread_ns, ran_ns: run.ran_ns(), flow, step })
}
