//! How long a step would have taken with a core of its own. What was recorded is time of a clock: a thread of low priority
//! stands still in it while others take all cores.

use std::collections::BTreeMap;

use zerver_engine::{StepCost, core_rates};
use zerver_trace::Thread;

/// A step that ran, on the clock of the whole recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran {
    /// On which thread, where that is known.
    pub(super) on: Option<Thread>,
    /// Since when it could have run there.
    pub(super) ready_ns: u64,
    pub(super) at_ns: u64,
    pub(super) end_ns: u64,
    /// Whether it ran at low priority.
    pub(super) is_low: bool,
}

/// Somebody who waited for a turn, on the clock of the whole recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waited {
    pub(super) at: Queue,
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
}

/// Where one waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Queue {
    /// On a worker; on any, where it is not known on which.
    Worker(Option<u16>),
    /// For any thread of low priority.
    Low,
}

/// For each of these steps, what it had of a core. Steps share the cores as in a simulation.
pub(super) fn needs(cores: usize, steps: &[Ran], waited: &[Waited]) -> Vec<StepCost> {
    let before = before(steps, waited);
    let with_before: Vec<Ran> = std::iter::zip(steps, &before)
        .map(|(step, before_ns)| Ran { at_ns: step.at_ns - before_ns, ..*step })
        .collect();
    let (all, own) = (had_ns(cores, &with_before), had_ns(cores, steps));
    let needs = |at: usize| {
        let before_ns = all[at].saturating_sub(own[at]);
        let there_ns = steps[at].at_ns.saturating_sub(steps[at].ready_ns);
        let unseen = u128::from(before[at].saturating_sub(there_ns)) * u128::from(before_ns);
        let not_waiting_ns = (unseen / u128::from(before[at].max(1))) as u64;
        StepCost { start_delay_ns: before_ns, not_waiting_ns, run_ns: own[at] }
    };
    (0..steps.len()).map(needs).collect()
}

/// For how long before each step none ran on its thread although somebody waited there: from the end of the one before it,
/// or from when there was somebody.
fn before(steps: &[Ran], waited: &[Waited]) -> Vec<u64> {
    let ends = ends(steps);
    let waits = together(waited);
    let before = |step: &Ran| {
        let waits = waits.get(&step.queue()).map_or(&[][..], Vec::as_slice);
        let wait = waits.partition_point(|&(from_ns, _)| from_ns < step.at_ns).checked_sub(1);
        let there = wait.map(|wait| waits[wait]).filter(|&(_, until_ns)| until_ns >= step.at_ns);
        let there_ns = there.map_or(step.at_ns, |(from_ns, _)| from_ns);
        step.at_ns - last_before(&ends, step, step.at_ns).max(there_ns)
    };
    steps.iter().map(before).collect()
}

/// When steps ended, on each thread. All threads of a sort that are not known count as one.
pub(super) type Ends = BTreeMap<(Option<Thread>, bool), Vec<u64>>;

pub(super) fn ends(steps: &[Ran]) -> Ends {
    let mut ends = Ends::new();
    for step in steps {
        ends.entry((step.on, step.is_low)).or_default().push(step.end_ns);
    }
    ends.values_mut().for_each(|ends| ends.sort_unstable());
    ends
}

/// When the last one before that time ended on the thread of a step; 0 if none did.
pub(super) fn last_before(ends: &Ends, step: &Ran, at_ns: u64) -> u64 {
    let ends = ends.get(&(step.on, step.is_low)).map_or(&[][..], Vec::as_slice);
    ends.partition_point(|&end_ns| end_ns <= at_ns).checked_sub(1).map_or(0, |last| ends[last])
}

/// When there was always somebody who waited, from when to when, in order.
fn together(waited: &[Waited]) -> BTreeMap<Queue, Vec<(u64, u64)>> {
    let mut waited: Vec<&Waited> = waited.iter().filter(|one| one.from_ns < one.until_ns).collect();
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

impl Ran {
    /// Where it waited.
    const fn queue(&self) -> Queue {
        match self.on {
            _ if self.is_low => Queue::Low,
            Some(Thread::Worker(number)) => Queue::Worker(Some(number)),
            Some(Thread::BatchWorker(_)) | None => Queue::Worker(None),
        }
    }

    /// How it waited there.
    pub(super) const fn waited(&self) -> Waited {
        Waited { at: self.queue(), from_ns: self.ready_ns, until_ns: self.at_ns }
    }
}

/// For each of these steps, how long it had a core.
fn had_ns(cores: usize, steps: &[Ran]) -> Vec<u64> {
    let mut marks: Vec<(u64, usize, bool)> = Vec::with_capacity(2 * steps.len());
    for (at, step) in steps.iter().enumerate() {
        marks.extend([(step.at_ns, at, true), (step.end_ns.max(step.at_ns), at, false)]);
    }
    // One that begins and ends at once begins first.
    marks.sort_unstable_by_key(|&(ns, at, begins)| (ns, at, !begins));
    let mut running = [0_u64; 2];
    // How much a thread would have had since the beginning that always ran, in thousandths.
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

/// When requests were there that this worker read at these times, in order. A worker that runs a step reads nothing: those
/// that it read right after one had come meanwhile, evenly as far as is known. Where it is not known which worker, it is as
/// if there were one.
pub(super) fn came_ns(worker: Option<u16>, read_ns: &[u64], steps: &[Ran]) -> Vec<u64> {
    let there = worker.map(Thread::Worker);
    let mut ran: Vec<&Ran> = steps.iter().filter(|step| !step.is_low && step.on == there).collect();
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

/// What was read so soon after a step was there before its end.
const RIGHT_AFTER_NS: u64 = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(at_ns: u64, end_ns: u64, is_low: bool) -> Ran {
        Ran { on: None, ready_ns: at_ns, at_ns, end_ns, is_low }
    }

    #[test]
    fn low_priority_stands_still_while_others_run() {
        let low = ran(0, 10_000, true);
        let check = |cores, others: &[Ran], had: u64| {
            assert_eq!(had_ns(cores, &[&[low], others].concat())[0], had);
        };
        check(1, &[], 10_000);
        // But for what the system gives it all the same: 3 in 1000.
        check(1, &[ran(2_000, 4_000, false), ran(7_000, 20_000, false)], 5_000 + 15);
        check(2, &[ran(2_000, 4_000, false)], 10_000);
        check(2, &[ran(0, 10_000, false), ran(5_000, 10_000, true)], 7_500);
        assert_eq!(had_ns(1, &[ran(5, 5, false), ran(0, 10, false), ran(0, 10, false)]), [0, 5, 5]);
    }

    #[test]
    fn what_lies_between_turns_is_found() {
        let waited = |ready_ns: u64, at_ns: u64, end_ns: u64| Ran { ready_ns, ..ran(at_ns, end_ns, false) };
        let steps =
            [ran(0, 10, false), waited(5, 13, 20), waited(21, 22, 30), waited(30, 30, 35), ran(33, 34, true)];
        let needs = needs(1, &steps, &steps.map(|step| step.waited()));
        assert_eq!(needs.iter().map(|needs| needs.start_delay_ns).collect::<Vec<_>>(), [0, 3, 1, 0, 0]);
        assert_eq!(needs[1].run_ns, 7);
    }

    #[test]
    fn one_that_ran_nothing_while_somebody_waited_was_kept() {
        let of = |worker, step| Ran { on: Some(Thread::Worker(worker)), ..step };
        // On the first worker somebody waits from 10 on, and is sent away; who runs then has come at 18. On the second nobody
        // waited.
        let steps = [of(0, ran(0, 10, false)), of(0, ran(18, 20, false)), of(1, ran(18, 20, false))];
        let at = Queue::Worker(Some(0));
        let mut waited = steps.map(|step| step.waited()).to_vec();
        waited.push(Waited { at, from_ns: 5, until_ns: 30 });
        let needs = needs(2, &steps, &waited);
        let before: Vec<_> = needs.iter().map(|needs| (needs.start_delay_ns, needs.not_waiting_ns)).collect();
        assert_eq!(before, [(0, 0), (8, 8), (0, 0)]);
        // Any thread of low priority would have taken who waits for one.
        let low = |number, step| Ran { on: Some(Thread::BatchWorker(number)), is_low: true, ..step };
        let waits = |ready_ns, step| Ran { ready_ns, ..step };
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
    fn what_came_while_a_step_ran_is_spread_over_it() {
        let steps = [ran(1_000_000, 2_000_000, false), ran(1_000_000, 2_100_000, true)];
        let read = [900_000, 2_000_010, 2_000_020, 3_000_000];
        assert_eq!(came_ns(None, &read, &steps), [900_000, 1_250_000, 1_750_000, 3_000_000]);
    }
}
