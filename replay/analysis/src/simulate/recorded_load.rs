//! From traces to a load: when each request could first run, on which connection it came, and what it did then.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::{Phase, ShedReason, SimMachine, SimRequest, StepCost};
use zerver_trace::{Class, Event, Outcome, Thread, Trace};

use super::core_time::{Queue, Ran, Waited, came_ns, ends, last_before, needs};
use super::step_medians::usual;

/// What was recorded, as far as a scheduler can see.
pub(super) struct Recording {
    /// In the order of their arrival.
    pub(super) requests: Vec<Recorded>,
    /// How many are not among them: they ran no step, and were not sent away by the scheduler either.
    pub(super) left_out: usize,
    /// How many were sent away. Their work is not known: it is that of others of their flow.
    pub(super) borrowed: usize,
}

/// A recorded request.
pub(super) struct Recorded {
    pub(super) load: SimRequest,
    pub(super) flow: String,
    pub(super) class: Class,
    /// From its head to its answer.
    pub(super) duration_ns: u64,
    pub(super) queue_ns: u64,
    /// What of that lies before its first step could run, and after its last one: the same in every simulation.
    pub(super) around_ns: u64,
    pub(super) is_shed: bool,
    pub(super) is_demoted: bool,
    pub(super) is_stolen: bool,
    /// Whether it was moved to low priority because a step of its flow overruns often.
    pub(super) is_slow: bool,
    /// From when it could have run to when another worker had it that was idle, if one did.
    given: Option<(u64, u64)>,
    /// Its steps, in the order of the load's.
    ran: Vec<Ran>,
    /// How it waited, and where.
    waited: Vec<Waited>,
}

/// The requests that a scheduler had to do with on this machine.
pub(super) fn load(traces: &[Trace], recorded_on: &SimMachine) -> Recording {
    let first_ns = traces.iter().map(|trace| trace.started_unix_ns).min().unwrap_or(0);
    let mut in_order: Vec<&Trace> = traces.iter().collect();
    in_order.sort_by_key(|trace| (trace.started_unix_ns, trace.id));
    let (mut flows, mut connections) = (Numbers::default(), Numbers::default());
    let mut requests: Vec<Recorded> = in_order
        .into_iter()
        .filter_map(|trace| {
            let (flow, connection) = (flows.of(&trace.flow.name), connections.of(&trace.peer));
            let flow = u16::try_from(flow).ok()?;
            one(trace, flow, connection, trace.started_unix_ns - first_ns, recorded_on.batch_workers > 0)
        })
        .collect();
    requests.sort_by_key(|recorded| recorded.load.arrives_ns);
    let steps: Vec<Ran> = requests.iter().flat_map(|recorded| recorded.ran.iter().copied()).collect();
    let waited: Vec<Waited> = requests.iter().flat_map(|recorded| recorded.waited.iter().copied()).collect();
    let mut needs = std::iter::zip(needs(recorded_on.cores, &steps, &waited), &steps);
    for part in requests.iter_mut().flat_map(|recorded| &mut recorded.load.phases) {
        if let Phase::Step { cost, batch_cost, charged_ns, .. } = part
            && let Some((needs, ran)) = needs.next()
        {
            let alone = StepCost { run_ns: needs.run_ns, ..StepCost::default() };
            (*cost, *batch_cost) = if ran.is_low { (alone, needs) } else { (needs, alone) };
            *charged_ns = needs.run_ns;
        }
    }
    elsewhere(&mut requests);
    hand_over(&mut requests, &steps);
    let workers: BTreeSet<Option<u16>> = requests.iter().map(|recorded| recorded.load.worker).collect();
    for worker in workers {
        let there = requests.iter_mut().filter(|recorded| recorded.load.worker == worker);
        let mut there: Vec<&mut Recorded> = there.collect();
        let read: Vec<u64> = there.iter().map(|recorded| recorded.load.arrives_ns).collect();
        for (recorded, came_ns) in std::iter::zip(&mut there, came_ns(worker, &read, &steps)) {
            recorded.load.arrives_ns = came_ns;
        }
    }
    requests.sort_by_key(|recorded| recorded.load.arrives_ns);
    let borrowed = borrow(&mut requests);
    let left_out = traces.len() - requests.len();
    Recording { requests, left_out, borrowed }
}

/// What steps that ran at low priority would take on a worker: what they take there in most cases, or less. Low priority
/// may stand still for whatever else has the cores.
fn elsewhere(requests: &mut [Recorded]) {
    let mut took: BTreeMap<(u16, u16), Vec<u64>> = BTreeMap::new();
    for Recorded { load, ran, .. } in &*requests {
        let steps = load.phases.iter().filter_map(|part| match part {
            Phase::Step { step, cost, .. } => Some((*step, cost.run_ns)),
            Phase::Wait { .. } => None,
        });
        for ((step, ns), _) in std::iter::zip(steps, ran).filter(|(_, ran)| !ran.is_low) {
            took.entry((load.flow, step)).or_default().push(ns);
        }
    }
    let usual = usual(took);
    for Recorded { load, ran, .. } in requests {
        let steps = load.phases.iter_mut().filter(|part| matches!(part, Phase::Step { .. }));
        for (part, _) in std::iter::zip(steps, ran).filter(|(_, ran)| ran.is_low) {
            if let Phase::Step { step, cost, charged_ns, .. } = part
                && let Some(&usual_ns) = usual.get(&(load.flow, *step))
            {
                cost.run_ns = cost.run_ns.min(usual_ns);
                *charged_ns = cost.run_ns;
            }
        }
    }
}

/// How long it takes to hand them over: for those that were, from when the worker that took them was free; for the others
/// what it takes in most cases.
fn hand_over(requests: &mut [Recorded], steps: &[Ran]) {
    let ends = ends(steps);
    let took = |recorded: &Recorded| {
        let ((ready_ns, there_ns), first) = (recorded.given?, recorded.ran.first()?);
        Some(there_ns.saturating_sub(last_before(&ends, first, there_ns).max(ready_ns)))
    };
    let all: Vec<Option<u64>> = requests.iter().map(took).collect();
    let mut known: Vec<u64> = all.iter().copied().flatten().collect();
    let middle = known.len() / 2;
    let usual_ns = if known.is_empty() { 0 } else { *known.select_nth_unstable(middle).1 };
    for (recorded, took_ns) in std::iter::zip(requests, all) {
        recorded.load.handoff_ns = took_ns.unwrap_or(usual_ns);
    }
}

/// Gives those that were sent away the work of the one of their flow that was served before them, or else of the first
/// after them. Leaves them out where there is none. How many there are.
fn borrow(requests: &mut Vec<Recorded>) -> usize {
    let mut last: BTreeMap<u16, Vec<Phase>> = BTreeMap::new();
    for served in requests.iter().rev().filter(|recorded| !recorded.is_shed) {
        last.insert(served.load.flow, served.load.phases.clone());
    }
    let mut borrowed = 0;
    requests.retain_mut(|recorded| {
        if !recorded.is_shed {
            last.insert(recorded.load.flow, recorded.load.phases.clone());
            return true;
        }
        let parts = last.get(&recorded.load.flow);
        borrowed += usize::from(parts.is_some());
        parts.map(|parts| recorded.load.phases.clone_from(parts)).is_some()
    });
    borrowed
}

/// Numbers names in the order in which they come.
#[derive(Default)]
struct Numbers<'n>(BTreeMap<&'n str, u32>);

impl<'n> Numbers<'n> {
    fn of(&mut self, name: &'n str) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(name).or_insert(next)
    }
}

/// None of one that ran no step, unless the scheduler sent it away.
fn one(trace: &Trace, flow: u16, connection: u32, began_ns: u64, has_low: bool) -> Option<Recorded> {
    let mut parts = Vec::new();
    let (mut ran, mut waited) = (Vec::new(), Vec::new());
    let on_clock = |ns: u64| began_ns.saturating_add(ns);
    let (home, mut given) = (Queue::Worker(trace.worker), None);
    let (mut queue_ns, mut received_ns, mut first_ns, mut end_ns) = (0, None, None, 0_u64);
    let (mut class, mut is_demoted, mut is_stolen, mut is_slow) = (trace.class, false, false, false);
    let (mut on, mut there_ns) = (trace.worker.map(Thread::Worker), 0);
    // Since when the answer lay ready that was taken last.
    let mut late_since = None;
    for event in &trace.events {
        let (step, ready_ns, at_ns, cpu_ns) = match *event {
            Event::CompletionDelayed { call, ready_ns, .. } => {
                late_since = Some((call, ready_ns));
                continue;
            }
            // The end of a pause was late then, and no answer.
            Event::EffectQueued { call, .. } | Event::EffectStarted { call, .. } => {
                late_since = late_since.filter(|(late, _)| *late != call);
                continue;
            }
            Event::EffectCompleted { call, .. } => {
                late_since = late_since.filter(|(late, _)| *late == call);
                continue;
            }
            Event::BodyReceived { at_ns } => {
                received_ns = Some(at_ns);
                continue;
            }
            // A rule gives it a class before the scheduler sees it: that is the trace's own.
            Event::Reclassified { to: Class::Batch, from, at_ns, ref reason } if from == trace.class => {
                (class, is_demoted, there_ns) = (Class::Batch, true, at_ns);
                is_slow = [ShedReason::QueueFull, ShedReason::WaitedTooLong]
                    .iter()
                    .all(|why| why.as_str() != &**reason);
                continue;
            }
            Event::Migrated { at_ns, to } => {
                on = Some(to);
                // All threads of low priority have one queue.
                if let Thread::Worker(_) = to {
                    (is_stolen, there_ns) = (true, at_ns);
                }
                continue;
            }
            Event::StepRan { step, ready_ns, at_ns, cpu_ns, .. } => (step, ready_ns, at_ns, cpu_ns),
            _ => continue,
        };
        // To wait for its worker and to wait for a turn there is the same to who simulates.
        let ready_ns = late_since.take().map_or(ready_ns, |(_, since_ns)| ready_ns.min(since_ns.max(end_ns)));
        match first_ns {
            None => first_ns = Some(ready_ns),
            Some(_) if ready_ns > end_ns => parts.push(Phase::Wait { ns: ready_ns - end_ns }),
            Some(_) => {}
        }
        parts.push(Phase::step(step, cpu_ns));
        queue_ns = u64::saturating_add(queue_ns, at_ns.saturating_sub(ready_ns));
        end_ns = end_ns.max(at_ns.saturating_add(cpu_ns));
        if is_stolen && ran.is_empty() {
            given = Some((on_clock(ready_ns), on_clock(there_ns)));
        }
        if there_ns > ready_ns {
            waited.push(Waited { at: home, from_ns: on_clock(ready_ns), until_ns: on_clock(there_ns) });
        }
        let (ready_ns, at_ns, end_ns) = (on_clock(ready_ns.max(there_ns)), on_clock(at_ns), on_clock(end_ns));
        let is_low = match on {
            Some(on) => matches!(on, Thread::BatchWorker(_)),
            None => has_low && class == Class::Batch,
        };
        let step = Ran { on, ready_ns, at_ns, end_ns, is_low };
        waited.push(step.waited());
        ran.push(step);
    }
    // One that others answered before the scheduler had it has not been received by a flow.
    let is_shed = ran.is_empty() && matches!(trace.outcome, Outcome::Rejected { .. });
    if is_shed {
        (first_ns, end_ns) = (received_ns, trace.duration_ns);
        let left_ns = if is_demoted { there_ns } else { end_ns };
        if let Some(from_ns) = received_ns.filter(|_| !(has_low && trace.class == Class::Batch)) {
            waited.push(Waited { at: home, from_ns: on_clock(from_ns), until_ns: on_clock(left_ns) });
        }
    }
    let first_ns = first_ns?;
    Some(Recorded {
        load: SimRequest {
            arrives_ns: began_ns.saturating_add(first_ns),
            class: trace.class,
            flow,
            connection,
            worker: trace.worker,
            handoff_ns: 0,
            phases: parts,
        },
        flow: trace.flow.name.clone(),
        class: trace.class,
        duration_ns: trace.duration_ns,
        queue_ns: if is_shed { end_ns.saturating_sub(first_ns) } else { queue_ns },
        around_ns: first_ns.saturating_add(trace.duration_ns.saturating_sub(end_ns)),
        is_shed,
        is_demoted,
        is_stolen,
        is_slow,
        given,
        ran,
        waited,
    })
}
