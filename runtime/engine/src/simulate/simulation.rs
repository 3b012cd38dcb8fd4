//! Runs a workload through the policy in virtual time. Every decision is the policy's; this file only keeps the time
//! and the requests.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use zerver_trace::Class;

use super::sim_cores::SimCores;
use super::sim_worker::SimWorker;
use super::workload::{Phase, SimMachine, SimOutcome, SimRequest, SimResult, StepCost};
use crate::{Shed, ShedReason, Ticket};

/// Simulates a workload on a machine. The same arguments give the same result.
pub fn simulate(machine: &SimMachine, workload: &[SimRequest]) -> SimResult {
    let mut simulation = Simulation::new(machine, workload);
    // A workload that runs past the end of time is abandoned there.
    while let Some(at_ns) = simulation.next_ns().filter(|_| simulation.now_ns < u64::MAX) {
        simulation.cores.pass(at_ns - simulation.now_ns);
        simulation.now_ns = at_ns;
        while let Some((executor, request)) = simulation.cores.take_finished() {
            simulation.step_ended(executor, request);
        }
        while let Some(&Reverse((at_ns, request, due))) = simulation.agenda.peek()
            && at_ns <= simulation.now_ns
        {
            simulation.agenda.pop();
            match due {
                Due::Arrival => simulation.arrive(request),
                Due::EffectsCompleted => simulation.requeue(request, simulation.requests[request].worker),
                Due::Handoff { worker } => simulation.take_over(request, worker),
                Due::BatchTimeout { ticket, is_last } => simulation.batch_timeout(request, ticket, is_last),
            }
        }
    }
    simulation.result
}

struct Simulation<'w> {
    machine: &'w SimMachine,
    workload: &'w [SimRequest],
    now_ns: u64,
    /// Future events, by time and request.
    agenda: BinaryHeap<Reverse<(u64, usize, Due)>>,
    cores: SimCores,
    /// The ordinary workers, then the batch pool: one entry that all batch workers share.
    workers: Vec<SimWorker>,
    /// For each flow, the time until which it is reclassified as batch.
    batch_until_ns: Vec<u64>,
    requests: Vec<RequestState>,
    result: SimResult,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Arrival,
    EffectsCompleted,
    /// The request reaches the worker that takes it over.
    Handoff {
        worker: usize,
    },
    /// The request may have waited for too long in the batch pool. The worker of its connection checks.
    BatchTimeout {
        ticket: Ticket,
        is_last: bool,
    },
}

#[derive(Clone, Default)]
struct RequestState {
    /// Index into [`Simulation::workers`].
    worker: usize,
    /// Index of the phase that runs, or comes next.
    phase: usize,
    ready_ns: u64,
    /// Run time since its turn began.
    turn_ns: u64,
}

impl<'w> Simulation<'w> {
    fn new(machine: &'w SimMachine, workload: &'w [SimRequest]) -> Self {
        let workers = machine.workers.max(1);
        let flows = workload.iter().map(|request| usize::from(request.flow) + 1).max().unwrap_or(0);
        Self {
            machine,
            workload,
            now_ns: 0,
            agenda: workload
                .iter()
                .enumerate()
                .map(|(at, request)| Reverse((request.arrives_ns, at, Due::Arrival)))
                .collect(),
            cores: SimCores::new(machine.cores, workers, machine.batch_workers),
            workers: (0..=workers).map(|_| SimWorker::new(&machine.settings, flows)).collect(),
            batch_until_ns: vec![0; flows],
            requests: vec![RequestState::default(); workload.len()],
            result: SimResult {
                outcomes: vec![SimOutcome::default(); workload.len()],
                ..SimResult::default()
            },
        }
    }

    fn next_ns(&self) -> Option<u64> {
        let end = self.cores.next_end_ns().map(|ns| self.now_ns.saturating_add(ns));
        let due = self.agenda.peek().map(|Reverse((at_ns, ..))| (*at_ns).max(self.now_ns));
        [end, due].into_iter().flatten().min()
    }

    /// Returns the index of the batch pool.
    const fn batch_pool(&self) -> usize {
        self.workers.len() - 1
    }

    /// Makes a request readable; its worker reads it in its next pass.
    fn arrive(&mut self, request: usize) {
        let SimRequest { worker, connection, .. } = self.workload[request];
        let known = worker.map(usize::from).filter(|&worker| worker < self.batch_pool());
        let worker = known.unwrap_or(connection as usize % self.batch_pool());
        let is_idle = self.is_idle(worker);
        self.workers[worker].arrive(request, is_idle, self.now_ns);
        self.dispatch(worker);
    }

    fn read(&mut self, request: usize, worker: usize) {
        let SimRequest { class, flow, .. } = self.workload[request];
        let is_reclassified = self.batch_until_ns[usize::from(flow)] > self.now_ns;
        let is_batch = self.machine.batch_workers > 0 && (class == Class::Batch || is_reclassified);
        self.requests[request].ready_ns = self.now_ns;
        let outcome = &mut self.result.outcomes[request];
        (outcome.read_ns, outcome.is_reclassified) = (self.now_ns, is_batch && class != Class::Batch);
        if is_batch {
            return self.admit(request, self.batch_pool());
        }
        self.workers[worker].overruns.request_started(flow);
        self.admit(request, worker);
    }

    fn is_idle(&self, worker: usize) -> bool {
        self.cores.is_idle(worker) && self.workers[worker].queue.is_empty()
    }

    /// Returns an ordinary worker that has nothing to do.
    fn idle_worker(&self) -> Option<usize> {
        let is_free =
            |worker: &usize| !self.workers[*worker].is_claimed && self.workers[*worker].sockets.is_empty();
        (0..self.batch_pool()).filter(is_free).find(|&worker| self.is_idle(worker))
    }

    /// Migrates a request that has not run a step. It migrates only once.
    fn hand_off(&mut self, request: usize, worker: usize) {
        self.result.outcomes[request].is_stolen = true;
        self.workers[worker].is_claimed = true;
        let at_ns = self.now_ns.saturating_add(self.workload[request].handoff_ns);
        self.agenda.push(Reverse((at_ns, request, Due::Handoff { worker })));
    }

    fn take_over(&mut self, request: usize, worker: usize) {
        self.workers[worker].is_claimed = false;
        self.wait(request, worker);
    }

    /// Queues a new request, or lets an idle worker take it over, or sheds it.
    fn admit(&mut self, request: usize, worker: usize) {
        self.requests[request].worker = worker;
        let (class, flow) = (self.class(request), self.workload[request].flow);
        match self.workers[worker].queue.admit(class, flow, self.now_ns) {
            Ok(ticket) => {
                self.workers[worker].waiting.insert(ticket, request);
                if worker == self.batch_pool() {
                    let set = self.machine.settings.batch;
                    for (ns, is_last) in [(set.target_ns, false), (set.interval_ns, true)] {
                        let at_ns = self.now_ns.saturating_add(ns);
                        self.agenda.push(Reverse((at_ns, request, Due::BatchTimeout { ticket, is_last })));
                    }
                    self.dispatch(worker);
                }
            }
            Err(shed) => match self.idle_worker().filter(|_| worker != self.batch_pool()) {
                Some(idle) => self.hand_off(request, idle),
                None => self.shed(request, shed),
            },
        }
    }

    /// Sheds a request that has waited for too long in the batch pool, which may get no core. The worker of its
    /// connection does that.
    fn batch_timeout(&mut self, request: usize, ticket: Ticket, is_last: bool) {
        let pool = self.batch_pool();
        let SimWorker { queue, waiting, .. } = &mut self.workers[pool];
        let busy_ns = queue.busy_ns(Class::Batch, self.now_ns);
        let is_burst = !is_last && busy_ns < self.machine.settings.batch.interval_ns;
        if !is_burst && waiting.remove(&ticket).is_some() {
            queue.remove(ticket, self.now_ns);
            self.shed(request, Shed { class: Class::Batch, reason: ShedReason::WaitedTooLong });
        }
    }

    fn shed(&mut self, request: usize, shed: Shed) {
        if shed.fallback_class().is_some() && self.machine.batch_workers > 0 {
            self.result.outcomes[request].is_reclassified = true;
            return self.admit(request, self.batch_pool());
        }
        let queue_ns = self.now_ns - self.requests[request].ready_ns;
        let outcome = &mut self.result.outcomes[request];
        outcome.queue_ns = outcome.queue_ns.saturating_add(queue_ns);
        self.end(request, Some(shed.reason));
    }

    /// Queues a request that has run before.
    fn requeue(&mut self, request: usize, worker: usize) {
        self.requests[request].ready_ns = self.now_ns;
        self.wait(request, worker);
    }

    fn wait(&mut self, request: usize, worker: usize) {
        self.requests[request].worker = worker;
        let (class, flow) = (self.class(request), self.workload[request].flow);
        let ticket = self.workers[worker].queue.requeue(class, flow, self.now_ns);
        self.workers[worker].waiting.insert(ticket, request);
        self.dispatch(worker);
    }

    /// Gives the idle executors of a worker something to run.
    fn dispatch(&mut self, worker: usize) {
        while let Some(executor) = self.idle_executor(worker) {
            if worker != self.batch_pool() {
                for request in self.workers[worker].read(self.now_ns) {
                    self.read(request, worker);
                }
            }
            let Some(turn) = self.workers[worker].queue.pop(self.now_ns) else {
                if !self.workers[worker].sockets.is_empty() {
                    continue;
                }
                self.steal_for(worker);
                break;
            };
            self.workers[worker].lag.request_waited(turn.waited_ns, self.now_ns);
            let Some(request) = self.workers[worker].waiting.remove(&turn.ticket) else { continue };
            match turn.verdict {
                Ok(()) => {
                    let waited_ns = self.now_ns - self.requests[request].ready_ns;
                    let outcome = &mut self.result.outcomes[request];
                    outcome.queue_ns = outcome.queue_ns.saturating_add(waited_ns);
                    self.requests[request].turn_ns = 0;
                    self.proceed(executor, request);
                    self.offload(worker);
                }
                Err(shed) => self.shed(request, shed),
            }
        }
    }

    /// Hands queued requests to idle workers once a turn has begun, as a real worker does between steps.
    fn offload(&mut self, worker: usize) {
        while worker != self.batch_pool()
            && self.workers[worker].queue.has_stealable()
            && let Some(idle) = self.idle_worker()
            && let Some(ticket) = self.workers[worker].queue.steal(self.now_ns)
        {
            if let Some(request) = self.workers[worker].waiting.remove(&ticket) {
                self.hand_off(request, idle);
            }
        }
    }

    /// Lets a worker that has run out of work steal a request, unless one is already on its way to it.
    fn steal_for(&mut self, worker: usize) {
        if worker == self.batch_pool() || self.workers[worker].is_claimed {
            return;
        }
        let has_stealable = |other: &usize| self.workers[*other].queue.has_stealable();
        let Some(other) = (0..self.batch_pool()).find(has_stealable) else { return };
        let SimWorker { queue, waiting, .. } = &mut self.workers[other];
        if let Some(request) = queue.steal(self.now_ns).and_then(|ticket| waiting.remove(&ticket)) {
            self.hand_off(request, worker);
        }
    }

    fn idle_executor(&self, worker: usize) -> Option<usize> {
        let executors = match worker == self.batch_pool() {
            true => worker..worker + self.machine.batch_workers,
            false => worker..worker + 1,
        };
        executors.into_iter().find(|&executor| self.cores.is_idle(executor))
    }

    /// Begins the next phase of a request that has its turn. The executor stays idle unless that is a step.
    fn proceed(&mut self, executor: usize, request: usize) {
        match self.workload[request].phases.get(self.requests[request].phase) {
            None => self.end(request, None),
            Some(Phase::Step { cost, batch_cost, .. }) => {
                let is_batch = self.requests[request].worker == self.batch_pool();
                let StepCost { start_delay_ns, not_waiting_ns, run_ns } =
                    if is_batch { *batch_cost } else { *cost };
                let outcome = &mut self.result.outcomes[request];
                outcome.queue_ns =
                    outcome.queue_ns.saturating_add(start_delay_ns.saturating_sub(not_waiting_ns));
                outcome.not_waiting_ns = outcome.not_waiting_ns.saturating_add(not_waiting_ns);
                self.cores.start(executor, request, start_delay_ns.saturating_add(run_ns));
            }
            Some(Phase::Wait { ns }) => {
                self.requests[request].phase += 1;
                self.agenda.push(Reverse((self.now_ns.saturating_add(*ns), request, Due::EffectsCompleted)));
            }
        }
    }

    fn step_ended(&mut self, executor: usize, request: usize) {
        let (class, flow) = (self.class(request), self.workload[request].flow);
        let worker = self.requests[request].worker;
        let mut ran = None;
        let phase = self.workload[request].phases.get(self.requests[request].phase).copied();
        if let Some(Phase::Step { step, cost, batch_cost, charged_ns }) = phase {
            let ns = if worker == self.batch_pool() { batch_cost.run_ns } else { cost.run_ns };
            ran = Some(step);
            self.requests[request].phase += 1;
            self.requests[request].turn_ns = self.requests[request].turn_ns.saturating_add(ns);
            self.workers[worker].queue.charge(class, flow, ns);
            self.workers[worker].lag.request_ran(self.requests[request].turn_ns, self.now_ns);
            if worker == self.batch_pool() {
                self.result.batch_busy_ns = self.result.batch_busy_ns.saturating_add(ns);
            } else {
                self.result.busy_ns = self.result.busy_ns.saturating_add(ns);
                if charged_ns > self.machine.settings.class(class).quantum_ns
                    && let Some(until_ns) =
                        self.workers[worker].overruns.record_overrun(flow, step, self.now_ns)
                {
                    self.batch_until_ns[usize::from(flow)] = until_ns;
                    self.result.reclassified_flows.push(flow);
                }
            }
        }
        let next = self.workload[request].phases.get(self.requests[request].phase);
        let runs_on = matches!(next, Some(Phase::Step { .. }));
        // Only a step that yields is entered again.
        let yields = matches!((next, ran), (Some(Phase::Step { step, .. }), Some(last)) if *step == last);
        let quantum_ns = self.machine.settings.class(class).quantum_ns;
        let is_turn_over = yields || self.requests[request].turn_ns >= quantum_ns;
        let SimWorker { queue, sockets, .. } = &self.workers[worker];
        let others_wait = !queue.is_empty() || !sockets.is_empty();
        let is_reclassified = self.batch_until_ns[usize::from(flow)] > self.now_ns;
        if runs_on && is_reclassified && worker != self.batch_pool() && self.machine.batch_workers > 0 {
            self.result.outcomes[request].is_reclassified = true;
            self.requeue(request, self.batch_pool());
        } else if runs_on && is_turn_over && others_wait {
            self.requeue(request, worker);
        } else {
            if is_turn_over {
                self.requests[request].turn_ns = 0;
            }
            self.proceed(executor, request);
        }
        self.dispatch(worker);
    }

    fn end(&mut self, request: usize, shed: Option<ShedReason>) {
        let outcome = &mut self.result.outcomes[request];
        outcome.end_ns = self.now_ns;
        outcome.shed = shed;
        outcome.ends += 1;
    }

    /// Returns the class in whose queue the request waits at its current worker.
    fn class(&self, request: usize) -> Class {
        if self.requests[request].worker == self.batch_pool() {
            Class::Batch
        } else {
            self.workload[request].class
        }
    }
}
