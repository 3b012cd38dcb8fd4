//! The queue of one class: fair between flows; within each, first come first served or the newest first.

use std::collections::VecDeque;

/// A flow may owe no more than so many quanta, so that it is never forgotten for one long step.
const DEBT_QUANTA: i64 = 16;

/// What waits in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Increases from entry to entry.
    pub(super) ticket: u64,
    pub(super) since_ns: u64,
}

/// Who of a flow goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Oldest,
    /// Those that have run a step before, and then the newest.
    Newest,
}

/// Surplus round robin over flows (Adiseshu, Parulkar and Varghese, SIGCOMM 1996): what a request costs is known only
/// afterwards, so a flow may overdraw its credit, and pays with its next turns.
#[derive(Debug, Default)]
pub(super) struct Queue {
    flows: Vec<Flow>,
    /// The flows that have something waiting, in the order of their turns.
    turns: VecDeque<u16>,
    len: usize,
    /// When it was last empty.
    empty_ns: u64,
}

#[derive(Debug, Default)]
struct Flow {
    /// Those that have run no step.
    new: VecDeque<Entry>,
    /// Those that have.
    begun: VecDeque<Entry>,
    credit_ns: i64,
}

impl Flow {
    fn is_empty(&self) -> bool {
        self.new.is_empty() && self.begun.is_empty()
    }

    fn pop(&mut self, order: Order) -> Option<Entry> {
        let ticket = |entries: &VecDeque<Entry>| entries.front().map_or(u64::MAX, |entry| entry.ticket);
        match order {
            Order::Oldest if ticket(&self.new) < ticket(&self.begun) => self.new.pop_front(),
            Order::Oldest => self.begun.pop_front(),
            Order::Newest => self.begun.pop_front().or_else(|| self.new.pop_back()),
        }
    }
}

impl Queue {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// For how long there was always something in it.
    pub(super) const fn busy_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.empty_ns)
    }

    /// One comes; whether none of its steps has run.
    pub(super) fn push(&mut self, flow: u16, entry: Entry, is_new: bool) {
        if self.len == 0 {
            self.empty_ns = entry.since_ns;
        }
        let at = usize::from(flow);
        if at >= self.flows.len() {
            self.flows.resize_with(at + 1, Flow::default);
        }
        let state = &mut self.flows[at];
        if state.is_empty() {
            self.turns.push_back(flow);
        }
        if is_new {
            state.new.push_back(entry)
        } else {
            state.begun.push_back(entry)
        }
        self.len += 1;
    }

    /// The next, of the flow whose turn it is.
    pub(super) fn pop(&mut self, order: Order, quantum_ns: u64, now_ns: u64) -> Option<(u16, Entry)> {
        let quantum = signed(quantum_ns).max(1);
        // Who has overdrawn waits for the others. With nobody else there is nobody to wait for.
        while let Some(&flow) = self.turns.front() {
            let state = &mut self.flows[usize::from(flow)];
            if state.credit_ns > 0 {
                break;
            }
            state.credit_ns = state.credit_ns.saturating_add(quantum);
            self.turns.rotate_left(1);
        }
        let flow = *self.turns.front()?;
        let entry = self.flows[usize::from(flow)].pop(order)?;
        self.took(flow, now_ns);
        Some((flow, entry))
    }

    /// One that has run no step, and has waited for longer than it may.
    pub(super) fn pop_late(&mut self, patience_ns: u64, now_ns: u64) -> Option<(u16, Entry)> {
        let is_late = |entry: &Entry| now_ns.saturating_sub(entry.since_ns) > patience_ns;
        let first = |flow: &u16| self.flows[usize::from(*flow)].new.front();
        let flow = *self.turns.iter().find(|flow| first(flow).is_some_and(is_late))?;
        self.pop_new(flow, now_ns)
    }

    /// The next flow's request that has run no step.
    pub(super) fn steal(&mut self, now_ns: u64) -> Option<(u16, Entry)> {
        let flow = *self.turns.iter().find(|flow| !self.flows[usize::from(**flow)].new.is_empty())?;
        self.pop_new(flow, now_ns)
    }

    /// How long the one has waited that has run no step and waits for longest.
    pub(super) fn oldest_ns(&self, now_ns: u64) -> u64 {
        let firsts = self.turns.iter().filter_map(|flow| self.flows[usize::from(*flow)].new.front());
        firsts.map(|entry| now_ns.saturating_sub(entry.since_ns)).max().unwrap_or(0)
    }

    fn pop_new(&mut self, flow: u16, now_ns: u64) -> Option<(u16, Entry)> {
        let entry = self.flows[usize::from(flow)].new.pop_front()?;
        self.took(flow, now_ns);
        Some((flow, entry))
    }

    pub(super) fn has_new(&self) -> bool {
        self.turns.iter().any(|flow| !self.flows[usize::from(*flow)].new.is_empty())
    }

    /// Takes one out that is no longer wanted.
    pub(super) fn remove(&mut self, flow: u16, ticket: u64, now_ns: u64) -> bool {
        let Some(state) = self.flows.get_mut(usize::from(flow)) else { return false };
        let found = [&mut state.new, &mut state.begun].into_iter().find_map(|entries| {
            let at = entries.binary_search_by_key(&ticket, |entry| entry.ticket).ok()?;
            entries.remove(at)
        });
        if found.is_some() {
            self.took(flow, now_ns);
        }
        found.is_some()
    }

    /// A request of this flow has run for so long.
    pub(super) fn charge(&mut self, flow: u16, ran_ns: u64, quantum_ns: u64) {
        let Some(state) = self.flows.get_mut(usize::from(flow)) else { return };
        let floor = signed(quantum_ns).saturating_mul(-DEBT_QUANTA);
        state.credit_ns = state.credit_ns.saturating_sub(signed(ran_ns)).max(floor);
        // Its turn is over: the next one is after the others.
        if state.credit_ns <= 0 && self.turns.front() == Some(&flow) {
            self.turns.rotate_left(1);
            let credit_ns = &mut self.flows[usize::from(flow)].credit_ns;
            *credit_ns = credit_ns.saturating_add(signed(quantum_ns));
        }
    }

    /// One of this flow is no longer there.
    fn took(&mut self, flow: u16, now_ns: u64) {
        self.len -= 1;
        let state = &mut self.flows[usize::from(flow)];
        if state.is_empty() {
            // Credit is not saved up; debts stay.
            state.credit_ns = state.credit_ns.min(0);
            self.turns.retain(|&other| other != flow);
        }
        if self.len == 0 {
            self.empty_ns = now_ns;
        }
    }
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}
