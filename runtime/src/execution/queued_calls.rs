//! Calls that wait because their request has too many effects in flight. They have no future that could notice a
//! deadline, so the driver asks for the next one. Reads no clock.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::RequestedCall;

/// The calls of one request over its limit of effects in flight, in the order in which they were requested.
#[derive(Default)]
pub(crate) struct QueuedCalls {
    /// By number. Calls are numbered in the order in which they are requested.
    calls: BTreeMap<u32, RequestedCall>,
    /// Deadlines of these calls, each with the number of its call.
    deadlines: BTreeSet<(u64, u32)>,
}

impl QueuedCalls {
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn push(&mut self, call: RequestedCall) {
        self.deadlines.extend(call.deadline_ns.map(|deadline_ns| (deadline_ns, call.number)));
        self.calls.insert(call.number, call);
    }

    /// Takes the call that was requested first.
    pub(crate) fn pop(&mut self) -> Option<RequestedCall> {
        let (number, call) = self.calls.pop_first()?;
        if let Some(deadline_ns) = call.deadline_ns {
            self.deadlines.remove(&(deadline_ns, number));
        }
        Some(call)
    }

    /// Drops the calls that are no longer needed.
    pub(crate) fn retain(&mut self, is_needed: impl Fn(u32) -> bool) {
        self.calls.retain(|number, _| is_needed(*number));
        self.deadlines.retain(|(_, number)| is_needed(*number));
    }

    /// Returns the deadline that passes first.
    pub(crate) fn next_deadline_ns(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline_ns, _)| *deadline_ns)
    }

    /// Takes the call whose deadline passed first, if it has passed.
    pub(crate) fn pop_expired(&mut self, now_ns: u64) -> Option<RequestedCall> {
        let (deadline_ns, number) = *self.deadlines.first()?;
        if deadline_ns > now_ns {
            return None;
        }
        self.deadlines.pop_first();
        self.calls.remove(&number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zerver_engine::Call;

    use super::*;
    use crate::effects::sleep::Sleep;

    fn queue(deadlines: &[Option<u64>]) -> QueuedCalls {
        let mut queue = QueuedCalls::default();
        for (number, deadline_ns) in (0..).zip(deadlines) {
            let call = Call::new(Sleep { time: Duration::ZERO });
            queue.push(RequestedCall {
                number,
                call,
                attempt: 1,
                pause: Duration::ZERO,
                deadline_ns: *deadline_ns,
                first: number,
                is_hedge: false,
            });
        }
        queue
    }

    fn number(call: Option<RequestedCall>) -> Option<u32> {
        call.map(|call| call.number)
    }

    #[test]
    fn calls_leave_in_the_order_of_their_requests() {
        let mut queue = queue(&[Some(30), None, Some(10)]);
        assert_eq!(queue.len(), 3);
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop(), queue.pop()].map(number),
            [Some(0), Some(1), Some(2), None]
        );
        assert_eq!((queue.next_deadline_ns(), number(queue.pop_expired(u64::MAX))), (None, None));
    }

    #[test]
    fn calls_that_are_not_needed_leave_with_their_deadlines() {
        let mut queue = queue(&[Some(10), None, Some(20)]);
        queue.retain(|number| number > 0);
        assert_eq!((queue.len(), queue.next_deadline_ns(), number(queue.pop())), (2, Some(20), Some(1)));
    }

    #[test]
    fn a_call_leaves_once_its_deadline_has_passed() {
        let mut queue = queue(&[Some(30), None, Some(10), Some(20), Some(10)]);
        assert_eq!((queue.next_deadline_ns(), number(queue.pop_expired(9))), (Some(10), None));
        assert_eq!(
            [queue.pop_expired(10), queue.pop_expired(10), queue.pop_expired(10)].map(number),
            [Some(2), Some(4), None]
        );
        assert_eq!(queue.next_deadline_ns(), Some(20));
        assert_eq!(number(queue.pop()), Some(0), "the deadline of another call does not matter");
        assert_eq!([queue.pop_expired(99), queue.pop_expired(99)].map(number), [Some(3), None]);
        assert_eq!((number(queue.pop()), queue.len()), (Some(1), 0), "without a deadline");
    }
}
