//! The split of the whole time into parts that add up.
//!
//! Every instant from 0 to the end counts once, for the first of these that holds: a step ran; a step waited for its
//! turn; an effect was under way; an answer lay ready; the body was being read. What is left is unexplained, and shown as such. So the parts
//! are exact for an honest trace, and add up for any.

use std::collections::BTreeMap;

/// The split of the whole time, in nanoseconds. The parts (all but `io`) add up to `total_ns`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// From the head of the request to the response.
    pub total_ns: u64,
    /// The body was being read.
    pub receive_ns: u64,
    /// A step could have run, and did not yet.
    pub queue_ns: u64,
    /// A step ran.
    pub cpu_ns: u64,
    /// The request only waited for effects.
    pub wait_ns: u64,
    /// An answer lay ready, and the thread of the request was busy with others.
    pub completion_delay_ns: u64,
    /// None of these.
    pub unexplained_ns: u64,
    /// For each kind of effect, how long at least one was under way. These overlap where effects of different kinds do.
    pub io: BTreeMap<String, KindTotals>,
}

/// The effects of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindTotals {
    /// The time in which at least one was under way, in nanoseconds.
    pub time_ns: u64,
    /// How many were asked for, attempts counted.
    pub calls: u64,
}

/// What an instant may be spent on; an earlier one outranks a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    Cpu,
    Queue,
    Wait,
    CompletionDelay,
    Receive,
}

/// A stretch of time, from its first element to before its second.
pub(crate) type Span = (u64, u64);

/// How many nanoseconds at least one of the spans covers.
pub(super) fn union(mut spans: Vec<Span>) -> u64 {
    spans.sort_unstable();
    let mut covered = 0u64;
    let mut reached = 0u64;
    for (start, end) in spans {
        let start = start.max(reached);
        if end > start {
            covered = covered.saturating_add(end - start);
            reached = end;
        }
    }
    covered
}

/// What is left of a span without others.
pub(crate) fn without((start, end): Span, others: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut others: Vec<Span> = others.collect();
    others.sort_unstable();
    let (mut left, mut reached) = (Vec::with_capacity(others.len() + 1), start);
    for (from, to) in others {
        if reached < from.min(end) {
            left.push((reached, from.min(end)));
        }
        reached = reached.max(to);
    }
    if reached < end {
        left.push((reached, end));
    }
    left
}

/// Splits the time from 0 to `total_ns`; what lies beyond is not counted.
pub(super) fn split(total_ns: u64, spans: impl IntoIterator<Item = (Spent, Span)>) -> Totals {
    let mut edges: Vec<(u64, Spent, i64)> = Vec::new();
    for (spent, (start, end)) in spans {
        let end = end.min(total_ns);
        if start < end {
            edges.push((start, spent, 1));
            edges.push((end, spent, -1));
        }
    }
    edges.sort_unstable_by_key(|edge| edge.0);

    let mut sums = [0u64; 5];
    let mut open = [0i64; 5];
    let mut last = 0;
    for (at, spent, change) in edges {
        if let Some(top) = open.iter().position(|&open| open > 0) {
            sums[top] += at - last;
        }
        last = at;
        open[spent as usize] += change;
    }
    let [cpu_ns, queue_ns, wait_ns, late_ns, receive_ns] = sums;
    let unexplained_ns = total_ns - sums.iter().sum::<u64>();
    Totals {
        total_ns,
        receive_ns,
        queue_ns,
        cpu_ns,
        wait_ns,
        completion_delay_ns: late_ns,
        unexplained_ns,
        io: BTreeMap::new(),
    }
}
