//! Queue of one class: fair between flows; within a flow, oldest or newest first. It does not know other classes.

use std::collections::VecDeque;

/// Largest debt of a flow, in quanta, so that one very long step does not block its flow for ever.
const MAX_DEBT_QUANTA: i64 = 16;

/// A waiting request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Increases from entry to entry.
    pub(super) ticket: u64,
    pub(super) since_ns: u64,
}

/// Order in which the requests of one flow leave the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Oldest,
    /// Started requests first, then the newest of the others.
    Newest,
}

/// Surplus round robin over flows (Adiseshu, Parulkar and Varghese, SIGCOMM 1996). The cost of a request is known only
/// after it ran, so a flow may overdraw its credit and pays with its next rounds.
#[derive(Debug, Default)]
pub(super) struct ClassQueue {
    flows: Vec<FlowQueue>,
    /// Flows with waiting requests, in round-robin order.
    rotation: VecDeque<u16>,
    len: usize,
    /// Time at which the queue was last empty.
    empty_ns: u64,
}

#[derive(Debug, Default)]
struct FlowQueue {
    /// Requests that have not run a step.
    new: VecDeque<Entry>,
    /// Requests that have run a step.
    started: VecDeque<Entry>,
    credit_ns: i64,
}

impl FlowQueue {
    fn is_empty(&self) -> bool {
        self.new.is_empty() && self.started.is_empty()
    }

    fn pop(&mut self, order: Order) -> Option<Entry> {
        let ticket = |entries: &VecDeque<Entry>| entries.front().map_or(u64::MAX, |entry| entry.ticket);
        match order {
            Order::Oldest if ticket(&self.new) < ticket(&self.started) => self.new.pop_front(),
            Order::Oldest => self.started.pop_front(),
            Order::Newest => self.started.pop_front().or_else(|| self.new.pop_back()),
        }
    }
}

impl ClassQueue {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the time since the queue was last empty.
    pub(super) const fn busy_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.empty_ns)
    }

    /// Adds a request; `is_new` if it has not run a step.
    pub(super) fn push(&mut self, flow: u16, entry: Entry, is_new: bool) {
        if self.len == 0 {
            self.empty_ns = entry.since_ns;
        }
        let at = usize::from(flow);
        if at >= self.flows.len() {
            self.flows.resize_with(at + 1, FlowQueue::default);
        }
        let queue = &mut self.flows[at];
        if queue.is_empty() {
            self.rotation.push_back(flow);
        }
        if is_new {
            queue.new.push_back(entry)
        } else {
            queue.started.push_back(entry)
        }
        self.len += 1;
    }

    /// Removes the next request: one of the first flow in the rotation that has credit.
    pub(super) fn pop(&mut self, order: Order, quantum_ns: u64, now_ns: u64) -> Option<(u16, Entry)> {
        let quantum = signed(quantum_ns).max(1);
        // A flow that has overdrawn its credit lets the others go first. If it is alone, this earns it credit at once.
        while let Some(&flow) = self.rotation.front() {
            let queue = &mut self.flows[usize::from(flow)];
            if queue.credit_ns > 0 {
                break;
            }
            queue.credit_ns = queue.credit_ns.saturating_add(quantum);
            self.rotation.rotate_left(1);
        }
        let flow = *self.rotation.front()?;
        let entry = self.flows[usize::from(flow)].pop(order)?;
        self.removed(flow, now_ns);
        Some((flow, entry))
    }

    /// Removes a new request that has waited for longer than `patience_ns`.
    pub(super) fn pop_late(&mut self, patience_ns: u64, now_ns: u64) -> Option<(u16, Entry)> {
        let is_late = |entry: &Entry| now_ns.saturating_sub(entry.since_ns) > patience_ns;
        let first = |flow: &u16| self.flows[usize::from(*flow)].new.front();
        let flow = *self.rotation.iter().find(|flow| first(flow).is_some_and(is_late))?;
        self.pop_new(flow, now_ns)
    }

    /// Removes the oldest new request of the first flow in the rotation that has one.
    pub(super) fn steal(&mut self, now_ns: u64) -> Option<(u16, Entry)> {
        let flow = *self.rotation.iter().find(|flow| !self.flows[usize::from(**flow)].new.is_empty())?;
        self.pop_new(flow, now_ns)
    }

    /// Returns the longest wait of any new request.
    pub(super) fn oldest_ns(&self, now_ns: u64) -> u64 {
        let firsts = self.rotation.iter().filter_map(|flow| self.flows[usize::from(*flow)].new.front());
        firsts.map(|entry| now_ns.saturating_sub(entry.since_ns)).max().unwrap_or(0)
    }

    fn pop_new(&mut self, flow: u16, now_ns: u64) -> Option<(u16, Entry)> {
        let entry = self.flows[usize::from(flow)].new.pop_front()?;
        self.removed(flow, now_ns);
        Some((flow, entry))
    }

    pub(super) fn has_new(&self) -> bool {
        self.rotation.iter().any(|flow| !self.flows[usize::from(*flow)].new.is_empty())
    }

    /// Removes the request with this ticket. Returns false if it is not in the queue.
    pub(super) fn remove(&mut self, flow: u16, ticket: u64, now_ns: u64) -> bool {
        let Some(queue) = self.flows.get_mut(usize::from(flow)) else { return false };
        let found = [&mut queue.new, &mut queue.started].into_iter().find_map(|entries| {
            let at = entries.binary_search_by_key(&ticket, |entry| entry.ticket).ok()?;
            entries.remove(at)
        });
        if found.is_some() {
            self.removed(flow, now_ns);
        }
        found.is_some()
    }

    /// Charges a flow for a request that ran for `ran_ns`.
    pub(super) fn charge(&mut self, flow: u16, ran_ns: u64, quantum_ns: u64) {
        let Some(queue) = self.flows.get_mut(usize::from(flow)) else { return };
        let floor = signed(quantum_ns).saturating_mul(-MAX_DEBT_QUANTA);
        queue.credit_ns = queue.credit_ns.saturating_sub(signed(ran_ns)).max(floor);
        // Its round is over: the other flows go first.
        if queue.credit_ns <= 0 && self.rotation.front() == Some(&flow) {
            self.rotation.rotate_left(1);
            let credit_ns = &mut self.flows[usize::from(flow)].credit_ns;
            *credit_ns = credit_ns.saturating_add(signed(quantum_ns));
        }
    }

    /// Updates the bookkeeping after a request of this flow was removed.
    fn removed(&mut self, flow: u16, now_ns: u64) {
        self.len -= 1;
        let queue = &mut self.flows[usize::from(flow)];
        if queue.is_empty() {
            // An idle flow keeps its debt, but saves no credit.
            queue.credit_ns = queue.credit_ns.min(0);
            self.rotation.retain(|&other| other != flow);
        }
        if self.len == 0 {
            self.empty_ns = now_ns;
        }
    }
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}
