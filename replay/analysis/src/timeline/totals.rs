//! Splits the total time into parts that add up.
//!
//! Every instant from 0 to the end counts once, for the first of these that applies: a step ran; a step waited in the
//! run queue; an effect was in flight; an answer waited for the worker; the body was being read. The rest is
//! unexplained, and shown as such. The parts are exact for an honest trace, and add up for any trace.

use std::collections::BTreeMap;

/// Total time by cause, in nanoseconds. The parts (all but `io`) add up to `total_ns`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Time from the head of the request to the response.
    pub total_ns: u64,
    /// Reading the body.
    pub receive_ns: u64,
    /// A step could have run and did not.
    pub queue_ns: u64,
    /// A step ran.
    pub cpu_ns: u64,
    /// The request waited for effects.
    pub wait_ns: u64,
    /// An answer was ready and the worker was busy.
    pub completion_delay_ns: u64,
    /// None of these.
    pub unexplained_ns: u64,
    /// Time of each kind of effect. Kinds overlap if effects of different kinds are in flight at the same time.
    pub io: BTreeMap<String, KindTotals>,
}

/// Time of the effects of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindTotals {
    /// Time in which at least one was in flight, in nanoseconds.
    pub time_ns: u64,
    /// Number of calls, counting each attempt.
    pub calls: u64,
}

/// Cause of an instant. Earlier variants take precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    Cpu,
    Queue,
    Wait,
    CompletionDelay,
    Receive,
}

/// A half-open stretch of time: start and end.
pub(crate) type Span = (u64, u64);

/// Returns how many nanoseconds at least one span covers.
pub(crate) fn union(mut spans: Vec<Span>) -> u64 {
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

/// Returns the parts of a span that the others do not cover.
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

/// Splits the time from 0 to `total_ns`. Spans beyond it do not count.
pub(crate) fn split(total_ns: u64, spans: impl IntoIterator<Item = (Spent, Span)>) -> Totals {
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
