//! Attributes every instant of a request to one cause: a step run, an effect, the body, or none.
//!
//! Each instant counts once, as in [`crate::Totals`], so the shares add up to the whole. Of effects in flight at the
//! same time, the one that ends last gets the time, because the request did not wait for the others.

use std::collections::BTreeSet;

use crate::timeline::totals::without;
use crate::{CompletionDelay, Effect, Timeline};

/// Shares of the time of one request, in nanoseconds. They add up to its duration.
#[derive(Debug, Default)]
pub struct TimeShares {
    /// Share of each run of the timeline.
    pub runs: Vec<RunShare>,
    /// Reading the body.
    pub receive_ns: u64,
    /// Waiting in the run queue for a turn that never came.
    pub queue_ns: u64,
    /// Time without a cause.
    pub unexplained_ns: u64,
}

/// Share of a run of a step, in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct RunShare {
    /// The step ran.
    pub cpu_ns: u64,
    /// Waiting in the run queue.
    pub queue_ns: u64,
    /// Answers of its effects that waited for the worker.
    pub completion_delay_ns: u64,
    /// Share of each of its effects.
    pub effects: Vec<EffectShare>,
}

impl RunShare {
    /// Returns the share including the effects.
    pub fn whole_ns(&self) -> u64 {
        self.cpu_ns
            + self.queue_ns
            + self.completion_delay_ns
            + self.effects.iter().map(EffectShare::whole_ns).sum::<u64>()
    }
}

/// Share of an effect, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct EffectShare {
    /// Last attempt.
    pub wait_ns: u64,
    /// Waiting of that attempt for a permit.
    pub queued_ns: u64,
    /// Time from the first attempt to the last.
    pub retry_ns: u64,
}

impl EffectShare {
    /// Returns the whole share.
    pub const fn whole_ns(&self) -> u64 {
        self.wait_ns + self.queued_ns + self.retry_ns
    }
}

/// Part of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EffectPart {
    Wait,
    Held,
    Retry,
}

/// Owner of a span. The first of several owners gets the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Cpu(usize),
    Queue(usize),
    Wait {
        /// Later ends come first.
        before_end_of_time_ns: u64,
        run: usize,
        effect: usize,
        part: EffectPart,
    },
    CompletionDelay {
        run: usize,
        /// Distinguishes several of one run.
        number: usize,
    },
    Receive,
}

/// Returns the shares of a request.
pub fn attribute_time(timeline: &Timeline) -> TimeShares {
    let total_ns = timeline.totals.total_ns;
    let mut edges: Vec<(u64, bool, Owner)> = Vec::new();
    let mut add = |owner: Owner, start: u64, end: u64| {
        let end = end.min(total_ns);
        if start < end {
            edges.push((start, true, owner));
            edges.push((end, false, owner));
        }
    };
    if let Some(at_ns) = timeline.received_ns {
        add(Owner::Receive, 0, at_ns);
    }
    let mut shares = TimeShares::default();
    for (run_at, run) in timeline.runs.iter().enumerate() {
        let mut lates = 0;
        add(Owner::Queue(run_at), run.ready_ns, run.start_ns);
        add(Owner::Cpu(run_at), run.start_ns, run.start_ns.saturating_add(run.cpu_ns));
        for (effect_at, effect) in run.effects.iter().enumerate() {
            let end = effect.start_ns.saturating_add(effect.duration_ns);
            let last = last_attempt_ns(effect).clamp(effect.start_ns, end);
            let held = effect.attempts.last().map_or(0, |attempt| attempt.queued_ns);
            let begun = last.saturating_add(held).min(end);
            let parts = [
                (EffectPart::Retry, effect.start_ns, last),
                (EffectPart::Held, last, begun),
                (EffectPart::Wait, begun, end),
            ];
            for (part, start, end) in parts {
                let before_end_of_time_ns = u64::MAX - effect.start_ns.saturating_add(effect.duration_ns);
                let owner = Owner::Wait { before_end_of_time_ns, run: run_at, effect: effect_at, part };
                for (start, end) in
                    without((start, end), effect.completion_delays().map(CompletionDelay::span))
                {
                    add(owner, start, end);
                }
            }
            for (start, end) in effect.completion_delays().map(CompletionDelay::span) {
                add(Owner::CompletionDelay { run: run_at, number: lates }, start, end);
                lates += 1;
            }
        }
        let effects = vec![EffectShare::default(); run.effects.len()];
        shares.runs.push(RunShare { effects, ..RunShare::default() });
    }
    edges.sort_unstable();
    sweep(edges, total_ns, &mut shares);
    if timeline.runs.is_empty() {
        shares.queue_ns = timeline.totals.queue_ns;
        shares.unexplained_ns = shares.unexplained_ns.saturating_sub(shares.queue_ns);
    }
    shares
}

fn sweep(edges: Vec<(u64, bool, Owner)>, total_ns: u64, shares: &mut TimeShares) {
    let mut open: BTreeSet<Owner> = BTreeSet::new();
    let mut last = 0;
    for (at, is_start, owner) in edges {
        shares.give(open.first(), at - last);
        last = at;
        if is_start {
            open.insert(owner);
        } else {
            open.remove(&owner);
        }
    }
    shares.give(None, total_ns - last);
}

impl TimeShares {
    fn give(&mut self, owner: Option<&Owner>, ns: u64) {
        let share = match owner {
            None => &mut self.unexplained_ns,
            Some(Owner::Receive) => &mut self.receive_ns,
            Some(&Owner::Cpu(run)) => &mut self.runs[run].cpu_ns,
            Some(&Owner::CompletionDelay { run, .. }) => &mut self.runs[run].completion_delay_ns,
            Some(&Owner::Queue(run)) => &mut self.runs[run].queue_ns,
            Some(&Owner::Wait { run, effect, part, .. }) => {
                let effect = &mut self.runs[run].effects[effect];
                match part {
                    EffectPart::Wait => &mut effect.wait_ns,
                    EffectPart::Held => &mut effect.queued_ns,
                    EffectPart::Retry => &mut effect.retry_ns,
                }
            }
        };
        *share += ns;
    }
}

/// Returns the start of the last attempt.
fn last_attempt_ns(effect: &Effect) -> u64 {
    effect.attempts.last().map_or(effect.start_ns, |attempt| attempt.start_ns)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use zerver_testkit::hostile::any_trace;
    use zerver_testkit::sample::{failed, held, slow};

    proptest! {
        #[test]
        fn shares_add_up_to_the_totals(trace in any_trace()) {
            let timeline = Timeline::of(&trace);
            let shares = attribute_time(&timeline);
            let sum = |f: fn(&RunShare) -> u64| shares.runs.iter().map(f).sum::<u64>();
            let waits = |run: &RunShare| run.effects.iter().map(EffectShare::whole_ns).sum();
            let totals = &timeline.totals;
            prop_assert_eq!(sum(|run| run.cpu_ns), totals.cpu_ns);
            prop_assert_eq!(sum(|run| run.queue_ns) + shares.queue_ns, totals.queue_ns);
            prop_assert_eq!(sum(waits), totals.wait_ns);
            prop_assert_eq!(sum(|run| run.completion_delay_ns), totals.completion_delay_ns);
            prop_assert_eq!(shares.receive_ns, totals.receive_ns);
            prop_assert_eq!(shares.unexplained_ns, totals.unexplained_ns);
        }
    }

    #[test]
    fn time_lost_to_failed_attempts_is_a_separate_share() {
        let shares_of = |trace| attribute_time(&Timeline::of(&trace)).runs[1].effects[0];
        assert_eq!((shares_of(slow()).wait_ns, shares_of(slow()).retry_ns), (2_180_000, 0));
        assert_eq!((shares_of(failed()).wait_ns, shares_of(failed()).retry_ns), (200_000, 400_000));
        let EffectShare { wait_ns, queued_ns: held_ns, retry_ns } = shares_of(held());
        assert_eq!((wait_ns, held_ns, retry_ns), (200_000, 25_000, 375_000));
    }
}
