//! Computes how long a step would have taken with a core to itself. The recording has wall-clock time, in which a batch
//! worker stands still while others use all cores.

use std::collections::BTreeMap;

use zerver_engine::{StepCost, core_rates};
use zerver_trace::Thread;

/// A step run, on the clock of the whole recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct RanStep {
    /// Thread, if known.
    pub(super) on: Option<Thread>,
    /// Time when it could have run there.
    pub(super) ready_ns: u64,
    pub(super) at_ns: u64,
    pub(super) end_ns: u64,
    /// True if it ran on a batch worker.
    pub(super) is_low: bool,
}

/// A wait in a run queue, on the clock of the whole recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueWait {
    pub(super) at: Queue,
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
}

/// A run queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Queue {
    /// Queue of a worker; `None` if the worker is unknown.
    Worker(Option<u16>),
    /// Common queue of all batch workers.
    Low,
}

/// Returns the core time of each step. Steps share the cores as in a simulation.
pub(super) fn needs(cores: usize, steps: &[RanStep], waited: &[QueueWait]) -> Vec<StepCost> {
    let before = before(steps, waited);
    let with_before: Vec<RanStep> = std::iter::zip(steps, &before)
        .map(|(step, before_ns)| RanStep { at_ns: step.at_ns - before_ns, ..*step })
        .collect();
    let (all, own) = (core_time_ns(cores, &with_before), core_time_ns(cores, steps));
    let needs = |at: usize| {
        let before_ns = all[at].saturating_sub(own[at]);
        let there_ns = steps[at].at_ns.saturating_sub(steps[at].ready_ns);
        let unseen = u128::from(before[at].saturating_sub(there_ns)) * u128::from(before_ns);
        let not_waiting_ns = (unseen / u128::from(before[at].max(1))) as u64;
        StepCost { start_delay_ns: before_ns, not_waiting_ns, run_ns: own[at] }
    };
    (0..steps.len()).map(needs).collect()
}

/// Returns, for each step, how long its thread ran nothing before it although a request waited there: from the end of
/// the previous step, or from the start of the wait.
fn before(steps: &[RanStep], waited: &[QueueWait]) -> Vec<u64> {
    let ends = ends(steps);
    let waits = merged_waits(waited);
    let before = |step: &RanStep| {
        let waits = waits.get(&step.queue()).map_or(&[][..], Vec::as_slice);
        let wait = waits.partition_point(|&(from_ns, _)| from_ns < step.at_ns).checked_sub(1);
        let there = wait.map(|wait| waits[wait]).filter(|&(_, until_ns)| until_ns >= step.at_ns);
        let there_ns = there.map_or(step.at_ns, |(from_ns, _)| from_ns);
        step.at_ns - last_before(&ends, step, step.at_ns).max(there_ns)
    };
    steps.iter().map(before).collect()
}

/// Ends of steps on each thread. All unknown threads of one kind count as one thread.
pub(super) type Ends = BTreeMap<(Option<Thread>, bool), Vec<u64>>;

pub(super) fn ends(steps: &[RanStep]) -> Ends {
    let mut ends = Ends::new();
    for step in steps {
        ends.entry((step.on, step.is_low)).or_default().push(step.end_ns);
    }
    ends.values_mut().for_each(|ends| ends.sort_unstable());
    ends
}

/// Returns the last end before `at_ns` on the thread of a step; 0 if there is none.
pub(super) fn last_before(ends: &Ends, step: &RanStep, at_ns: u64) -> u64 {
    let ends = ends.get(&(step.on, step.is_low)).map_or(&[][..], Vec::as_slice);
    ends.partition_point(|&end_ns| end_ns <= at_ns).checked_sub(1).map_or(0, |last| ends[last])
}

/// Merges waits into spans in which some request always waited, in order.
fn merged_waits(waited: &[QueueWait]) -> BTreeMap<Queue, Vec<(u64, u64)>> {
    let mut waited: Vec<&QueueWait> = waited.iter().filter(|one| one.from_ns < one.until_ns).collect();
    waited.sort_unstable_by_key(|one| one.from_ns);
    let mut all: BTreeMap<Queue, Vec<(u64, u64)>> = BTreeMap::new();
    for one in waited {
        let all = all.entry(one.at).or_default();
        match all.last_mut() {
            Some((_, until_ns)) if *until_ns >= one.from_ns => *until_ns = (*until_ns).max(one.until_ns),
            _ => all.push((one.from_ns, one.until_ns)),
        }
    }
    all
}

impl RanStep {
    /// Returns the queue in which it waited.
    const fn queue(&self) -> Queue {
        match self.on {
            _ if self.is_low => Queue::Low,
            Some(Thread::Worker(number)) => Queue::Worker(Some(number)),
            Some(Thread::BatchWorker(_)) | None => Queue::Worker(None),
        }
    }

    /// Returns its wait.
    pub(super) const fn waited(&self) -> QueueWait {
        QueueWait { at: self.queue(), from_ns: self.ready_ns, until_ns: self.at_ns }
    }
}

/// Returns how long each step had a core.
fn core_time_ns(cores: usize, steps: &[RanStep]) -> Vec<u64> {
    let mut marks: Vec<(u64, usize, bool)> = Vec::with_capacity(2 * steps.len());
    for (at, step) in steps.iter().enumerate() {
        marks.extend([(step.at_ns, at, true), (step.end_ns.max(step.at_ns), at, false)]);
    }
    // A step that begins and ends at the same time begins first.
    marks.sort_unstable_by_key(|&(ns, at, begins)| (ns, at, !begins));
    let mut running = [0_u64; 2];
    // Core time of a thread that had run since the beginning, in thousandths.
    let (mut had, mut last_ns) = ([0_u128; 2], 0);
    let mut begun = vec![0_u128; steps.len()];
    let mut all = vec![0; steps.len()];
    for (ns, at, begins) in marks {
        let (ordinary, low) = core_rates(cores as u64, running[0], running[1]);
        for (had, rate) in std::iter::zip(&mut had, [ordinary, low]) {
            *had += u128::from(ns - last_ns) * u128::from(rate);
        }
        last_ns = ns;
        let sort = usize::from(steps[at].is_low);
        if begins {
            begun[at] = had[sort];
            running[sort] += 1;
        } else {
            all[at] = u64::try_from((had[sort] - begun[at]) / 1000).unwrap_or(u64::MAX);
            running[sort] -= 1;
        }
    }
    all
}

/// Returns when requests arrived that a worker read at `read_ns`, in order. A worker reads nothing while it runs a
/// step, so requests read right after a step arrived during it, spread evenly. All requests with an unknown worker
/// count as those of one worker.
pub(super) fn arrivals_ns(worker: Option<u16>, read_ns: &[u64], steps: &[RanStep]) -> Vec<u64> {
    let there = worker.map(Thread::Worker);
    let mut ran: Vec<&RanStep> = steps.iter().filter(|step| !step.is_low && step.on == there).collect();
    ran.sort_unstable_by_key(|step| step.end_ns);
    let after = |read_ns: u64| {
        let last = ran.partition_point(|step| step.end_ns <= read_ns).checked_sub(1)?;
        (read_ns - ran[last].end_ns <= RIGHT_AFTER_NS).then_some(last)
    };
    let mut came = Vec::with_capacity(read_ns.len());
    for together in read_ns.chunk_by(|a, b| after(*a).is_some() && after(*a) == after(*b)) {
        match after(together[0]).map(|at| ran[at]) {
            None => came.extend_from_slice(together),
            Some(step) => {
                let (took_ns, many) = (step.end_ns - step.at_ns, together.len() as u64);
                let share = |at: u64| u128::from(took_ns) * u128::from(2 * at + 1) / u128::from(2 * many);
                came.extend((0..many).map(|at| step.at_ns + share(at) as u64));
            }
        }
    }
    came
}

/// Requests read within this time after a step arrived before its end.
const RIGHT_AFTER_NS: u64 = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(at_ns: u64, end_ns: u64, is_low: bool) -> RanStep {
        RanStep { on: None, ready_ns: at_ns, at_ns, end_ns, is_low }
    }

    #[test]
    fn batch_workers_stand_still_while_others_run() {
        let low = ran(0, 10_000, true);
        let check = |cores, others: &[RanStep], had: u64| {
            assert_eq!(core_time_ns(cores, &[&[low], others].concat())[0], had);
        };
        check(1, &[], 10_000);
        // Except for the share that the system still gives it: 3 in 1000.
        check(1, &[ran(2_000, 4_000, false), ran(7_000, 20_000, false)], 5_000 + 15);
        check(2, &[ran(2_000, 4_000, false)], 10_000);
        check(2, &[ran(0, 10_000, false), ran(5_000, 10_000, true)], 7_500);
        assert_eq!(core_time_ns(1, &[ran(5, 5, false), ran(0, 10, false), ran(0, 10, false)]), [0, 5, 5]);
    }

    #[test]
    fn gaps_between_turns_are_found() {
        let waited =
            |ready_ns: u64, at_ns: u64, end_ns: u64| RanStep { ready_ns, ..ran(at_ns, end_ns, false) };
        let steps =
            [ran(0, 10, false), waited(5, 13, 20), waited(21, 22, 30), waited(30, 30, 35), ran(33, 34, true)];
        let needs = needs(1, &steps, &steps.map(|step| step.waited()));
        assert_eq!(needs.iter().map(|needs| needs.start_delay_ns).collect::<Vec<_>>(), [0, 3, 1, 0, 0]);
        assert_eq!(needs[1].run_ns, 7);
    }

    #[test]
    fn a_thread_that_ran_nothing_while_a_request_waited_was_held_up() {
        let of = |worker, step| RanStep { on: Some(Thread::Worker(worker)), ..step };
        // On the first worker, a request waits from 10 on and is shed; the request that runs then arrived at 18. On the
        // second worker, none waited.
        let steps = [of(0, ran(0, 10, false)), of(0, ran(18, 20, false)), of(1, ran(18, 20, false))];
        let at = Queue::Worker(Some(0));
        let mut waited = steps.map(|step| step.waited()).to_vec();
        waited.push(QueueWait { at, from_ns: 5, until_ns: 30 });
        let needs = needs(2, &steps, &waited);
        let before: Vec<_> = needs.iter().map(|needs| (needs.start_delay_ns, needs.not_waiting_ns)).collect();
        assert_eq!(before, [(0, 0), (8, 8), (0, 0)]);
        // Any batch worker would have taken the waiting request.
        let low = |number, step| RanStep { on: Some(Thread::BatchWorker(number)), is_low: true, ..step };
        let waits = |ready_ns, step| RanStep { ready_ns, ..step };
        let steps = [
            low(0, ran(0, 10, true)),
            low(0, waits(5, ran(30, 31, true))),
            low(1, ran(0, 20, true)),
            low(1, waits(7, ran(25, 26, true))),
        ];
        let needs = super::needs(2, &steps, &steps.map(|step| step.waited()));
        assert_eq!(needs.iter().map(|needs| needs.start_delay_ns).collect::<Vec<_>>(), [0, 20, 0, 5]);
    }

    #[test]
    fn arrivals_during_a_step_are_spread_over_it() {
        let steps = [ran(1_000_000, 2_000_000, false), ran(1_000_000, 2_100_000, true)];
        let read = [900_000, 2_000_010, 2_000_020, 3_000_000];
        assert_eq!(arrivals_ns(None, &read, &steps), [900_000, 1_250_000, 1_750_000, 3_000_000]);
    }
}
