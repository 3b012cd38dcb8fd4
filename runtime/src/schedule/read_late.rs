//! Finds out what was read right after a long step. While a worker is in a step it reads nothing, and when it does, nobody
//! can say since when that has been there: between the last look at the sockets before the step, and now.

use zerver_trace::{Event, RequestPart, SharedValue};

use super::board::Board;
use super::shared::Shared;
use crate::worker::Worker;

impl Worker {
    /// The long step for which a part of a request may have lain unread that is read at `now_ns`, and cannot have come
    /// before `since_ns`.
    pub(crate) fn read_late(
        &self,
        part: RequestPart,
        since_ns: impl FnOnce() -> u64,
        now_ns: u64,
    ) -> Option<Event<SharedValue>> {
        let (last_ns, rested_ns) = (self.board.long_runs.last_end_ns(), self.board.tally.rested_ns());
        if last_ns <= rested_ns {
            return None;
        }
        let unread_since_ns = since_ns().max(rested_ns).max(self.turns.read_until_ns());
        if last_ns <= unread_since_ns {
            return None;
        }
        read_late(&self.board, &self.service.schedule, part, unread_since_ns, now_ns)
    }

    /// The same for the head of the first request of a connection, which was accepted at `since_ns` and has been opened at
    /// `opened_ns`, when its worker had time for it.
    pub(crate) fn opened_late(
        &self,
        since_ns: u64,
        opened_ns: u64,
        now_ns: u64,
    ) -> Option<Event<SharedValue>> {
        // Once it has come round, what its client had sent by then has been read.
        if self.turns.read_until_ns().max(self.board.tally.rested_ns()) > opened_ns {
            return None;
        }
        read_late(&self.board, &self.service.schedule, RequestPart::Head, since_ns, now_ns)
    }
}

#[cold]
fn read_late(
    board: &Board,
    shared: &Shared,
    part: RequestPart,
    since_ns: u64,
    now_ns: u64,
) -> Option<Event<SharedValue>> {
    let run = board.long_runs.most_of(since_ns, now_ns)?;
    let unread_ns = now_ns.saturating_sub(since_ns);
    if part == RequestPart::Head {
        board.tally.delayed_heads.add(1);
        board.tally.head_delay_ns.add(unread_ns);
    }
    let (flow, step) = shared.names(&run);
    Some(Event::ReadDelayed { part, unread_ns, ran_ns: run.ran_ns(), flow, step })
}
