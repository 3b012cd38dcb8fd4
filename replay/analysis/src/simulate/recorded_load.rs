//! Turns traces into a load: when each request could first run, on which connection it arrived, and what it did then.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::{Phase, ShedReason, SimMachine, SimRequest, StepCost};
use zerver_trace::{Class, Event, Outcome, Thread, Trace};

use super::core_time::{Queue, QueueWait, RanStep, arrivals_ns, ends, last_before, needs};
use super::step_medians::medians;

/// Recorded requests, as far as a scheduler can see them.
pub(super) struct RecordedLoad {
    /// Requests in order of arrival.
    pub(super) requests: Vec<RecordedRequest>,
    /// Number of requests left out: they ran no step and were not shed by the scheduler.
    pub(super) excluded: usize,
    /// Number of shed requests. Their work is unknown, so it is taken from other requests of their flow.
    pub(super) estimated: usize,
}

/// A recorded request.
pub(super) struct RecordedRequest {
    pub(super) load: SimRequest,
    pub(super) flow: String,
    pub(super) class: Class,
    /// Time from its head to its response.
    pub(super) duration_ns: u64,
    pub(super) queue_ns: u64,
    /// Time before its first step could run, and after its last one. It is the same in every simulation.
    pub(super) around_ns: u64,
    pub(super) is_shed: bool,
    pub(super) is_demoted: bool,
    pub(super) is_stolen: bool,
    /// True if it was reclassified because a step of its flow exceeds the quantum often.
    pub(super) is_slow: bool,
    /// Time from when it could run to when an idle worker had taken it, if one did.
    handover: Option<(u64, u64)>,
    /// Its step runs, in the order of the load's.
    ran: Vec<RanStep>,
    /// Its waits.
    waited: Vec<QueueWait>,
}

/// Returns the requests that the scheduler of this machine handled.
pub(super) fn load(traces: &[Trace], recorded_on: &SimMachine) -> RecordedLoad {
    let first_ns = traces.iter().map(|trace| trace.started_unix_ns).min().unwrap_or(0);
    let mut in_order: Vec<&Trace> = traces.iter().collect();
    in_order.sort_by_key(|trace| (trace.started_unix_ns, trace.id));
    let (mut flows, mut connections) = (Numbers::default(), Numbers::default());
    let mut requests: Vec<RecordedRequest> = in_order
        .into_iter()
        .filter_map(|trace| {
            let (flow, connection) = (flows.of(&trace.flow.name), connections.of(&trace.peer));
            let flow = u16::try_from(flow).ok()?;
            recorded_request(
                trace,
                flow,
                connection,
                trace.started_unix_ns - first_ns,
                recorded_on.batch_workers > 0,
            )
        })
        .collect();
    requests.sort_by_key(|recorded| recorded.load.arrives_ns);
    let steps: Vec<RanStep> = requests.iter().flat_map(|recorded| recorded.ran.iter().copied()).collect();
    let waited: Vec<QueueWait> =
        requests.iter().flat_map(|recorded| recorded.waited.iter().copied()).collect();
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
    estimate_on_worker(&mut requests);
    set_handover_times(&mut requests, &steps);
    let workers: BTreeSet<Option<u16>> = requests.iter().map(|recorded| recorded.load.worker).collect();
    for worker in workers {
        let there = requests.iter_mut().filter(|recorded| recorded.load.worker == worker);
        let mut there: Vec<&mut RecordedRequest> = there.collect();
        let read: Vec<u64> = there.iter().map(|recorded| recorded.load.arrives_ns).collect();
        for (recorded, came_ns) in std::iter::zip(&mut there, arrivals_ns(worker, &read, &steps)) {
            recorded.load.arrives_ns = came_ns;
        }
    }
    requests.sort_by_key(|recorded| recorded.load.arrives_ns);
    let estimated = estimate_work(&mut requests);
    let excluded = traces.len() - requests.len();
    RecordedLoad { requests, excluded, estimated }
}

/// Sets how long steps of batch workers would take on a worker: their usual time there, or less. Batch workers stand
/// still while others use the cores.
fn estimate_on_worker(requests: &mut [RecordedRequest]) {
    let mut took: BTreeMap<(u16, u16), Vec<u64>> = BTreeMap::new();
    for RecordedRequest { load, ran, .. } in &*requests {
        let steps = load.phases.iter().filter_map(|part| match part {
            Phase::Step { step, cost, .. } => Some((*step, cost.run_ns)),
            Phase::Wait { .. } => None,
        });
        for ((step, ns), _) in std::iter::zip(steps, ran).filter(|(_, ran)| !ran.is_low) {
            took.entry((load.flow, step)).or_default().push(ns);
        }
    }
    let usual = medians(took);
    for RecordedRequest { load, ran, .. } in requests {
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

/// Sets how long it takes to hand a request to another worker: measured from when that worker was free, or else the
/// median.
fn set_handover_times(requests: &mut [RecordedRequest], steps: &[RanStep]) {
    let ends = ends(steps);
    let took = |recorded: &RecordedRequest| {
        let ((ready_ns, there_ns), first) = (recorded.handover?, recorded.ran.first()?);
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

/// Gives shed requests the work of the previous request of their flow that was served, or else of the first one after
/// them. Leaves them out if there is none. Returns how many there are.
fn estimate_work(requests: &mut Vec<RecordedRequest>) -> usize {
    let mut last: BTreeMap<u16, Vec<Phase>> = BTreeMap::new();
    for served in requests.iter().rev().filter(|recorded| !recorded.is_shed) {
        last.insert(served.load.flow, served.load.phases.clone());
    }
    let mut estimated = 0;
    requests.retain_mut(|recorded| {
        if !recorded.is_shed {
            last.insert(recorded.load.flow, recorded.load.phases.clone());
            return true;
        }
        let parts = last.get(&recorded.load.flow);
        estimated += usize::from(parts.is_some());
        parts.map(|parts| recorded.load.phases.clone_from(parts)).is_some()
    });
    estimated
}

/// Numbers names in the order in which they first occur.
#[derive(Default)]
struct Numbers<'n>(BTreeMap<&'n str, u32>);

impl<'n> Numbers<'n> {
    fn of(&mut self, name: &'n str) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(name).or_insert(next)
    }
}

/// Returns `None` for a request that ran no step, unless the scheduler shed it, and for one whose steps zerver did not run.
fn recorded_request(
    trace: &Trace,
    flow: u16,
    connection: u32,
    began_ns: u64,
    has_low: bool,
) -> Option<RecordedRequest> {
    if !trace.has_steps() {
        return None;
    }
    let mut parts = Vec::new();
    let (mut ran, mut waited) = (Vec::new(), Vec::new());
    let on_clock = |ns: u64| began_ns.saturating_add(ns);
    let (home, mut handover) = (Queue::Worker(trace.worker), None);
    let (mut queue_ns, mut received_ns, mut first_ns, mut end_ns) = (0, None, None, 0_u64);
    let (mut class, mut is_demoted, mut is_stolen, mut is_slow) = (trace.class, false, false, false);
    let (mut on, mut there_ns) = (trace.worker.map(Thread::Worker), 0);
    // Time since when the answer taken last was ready.
    let mut late_since = None;
    for event in &trace.events {
        let (step, ready_ns, at_ns, cpu_ns) = match *event {
            Event::CompletionDelayed { call, ready_ns, .. } => {
                late_since = Some((call, ready_ns));
                continue;
            }
            // The end of a pause was late, not an answer.
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
            // A rule sets the class before the scheduler sees the request: that is the trace's own class.
            Event::Reclassified { to: Class::Batch, from, at_ns, ref reason } if from == trace.class => {
                (class, is_demoted, there_ns) = (Class::Batch, true, at_ns);
                is_slow = [ShedReason::QueueFull, ShedReason::WaitedTooLong]
                    .iter()
                    .all(|why| why.as_str() != &**reason);
                continue;
            }
            Event::Migrated { at_ns, to } => {
                on = Some(to);
                // All batch workers share one queue.
                if let Thread::Worker(_) = to {
                    (is_stolen, there_ns) = (true, at_ns);
                }
                continue;
            }
            Event::StepRan { step, ready_ns, at_ns, cpu_ns, .. } => (step, ready_ns, at_ns, cpu_ns),
            _ => continue,
        };
        // Waiting for the worker and waiting in its queue are the same to the simulation.
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
            handover = Some((on_clock(ready_ns), on_clock(there_ns)));
        }
        if there_ns > ready_ns {
            waited.push(QueueWait { at: home, from_ns: on_clock(ready_ns), until_ns: on_clock(there_ns) });
        }
        let (ready_ns, at_ns, end_ns) = (on_clock(ready_ns.max(there_ns)), on_clock(at_ns), on_clock(end_ns));
        let is_low = match on {
            Some(on) => matches!(on, Thread::BatchWorker(_)),
            None => has_low && class == Class::Batch,
        };
        let step = RanStep { on, ready_ns, at_ns, end_ns, is_low };
        waited.push(step.waited());
        ran.push(step);
    }
    // A request that was rejected before it reached the scheduler has received nothing.
    let is_shed = ran.is_empty() && matches!(trace.outcome, Outcome::Rejected { .. });
    if is_shed {
        (first_ns, end_ns) = (received_ns, trace.duration_ns);
        let left_ns = if is_demoted { there_ns } else { end_ns };
        if let Some(from_ns) = received_ns.filter(|_| !(has_low && trace.class == Class::Batch)) {
            waited.push(QueueWait { at: home, from_ns: on_clock(from_ns), until_ns: on_clock(left_ns) });
        }
    }
    let first_ns = first_ns?;
    Some(RecordedRequest {
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
        handover,
        ran,
        waited,
    })
}
