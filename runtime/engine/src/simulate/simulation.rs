//! The policy in virtual time: what would become of a load on another machine, or under other settings. The same
//! [`Ready`](crate::Ready) and [`Overruns`](crate::Overruns) decide as under real workers. The same load gives the same fates.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use zerver_trace::Class;

use super::sim_worker::Home;
use super::workload::{Fate, Load, Machine, Part, Simulated, Takes};
use super::sim_cores::Stage;
use crate::{Refused, Ticket, Why};

/// Runs a load.
pub fn simulate(machine: &Machine, load: &[Load]) -> Simulated {
    let mut run = Run::new(machine, load);
    // A load that goes beyond the end of time is left there.
    while let Some(at_ns) = run.next_ns().filter(|_| run.now_ns < u64::MAX) {
        run.stage.pass(at_ns - run.now_ns);
        run.now_ns = at_ns;
        while let Some((lane, job)) = run.stage.take_finished() {
            run.step_ended(lane, job);
        }
        while let Some(&Reverse((at_ns, job, due))) = run.agenda.peek()
            && at_ns <= run.now_ns
        {
            run.agenda.pop();
            match due {
                Due::Arrives => run.arrive(job),
                Due::GoesOn => run.enter_again(job, run.jobs[job].home),
                Due::IsHandedOver { peer } => run.take_over(job, peer),
                Due::MayBeLate { ticket, is_last } => run.look_after(job, ticket, is_last),
            }
        }
    }
    run.simulated
}

struct Run<'l> {
    machine: &'l Machine,
    load: &'l [Load],
    now_ns: u64,
    /// What comes at its time.
    agenda: BinaryHeap<Reverse<(u64, usize, Due)>>,
    stage: Stage,
    /// One for each ordinary worker, and one for all of low priority.
    homes: Vec<Home>,
    /// Until when each flow is to run at low priority.
    low_until_ns: Vec<u64>,
    jobs: Vec<Job>,
    simulated: Simulated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Arrives,
    /// Its effects have ended.
    GoesOn,
    /// Another worker has it.
    IsHandedOver {
        peer: usize,
    },
    /// It waits at low priority: the worker of its connection looks after it.
    MayBeLate {
        ticket: Ticket,
        is_last: bool,
    },
}

#[derive(Clone, Default)]
struct Job {
    home: usize,
    /// The part that comes next, or runs.
    part: usize,
    ready_ns: u64,
    /// How long it has run without a pause.
    turn_ns: u64,
}

impl<'l> Run<'l> {
    fn new(machine: &'l Machine, load: &'l [Load]) -> Self {
        let workers = machine.workers.max(1);
        let flows = load.iter().map(|load| usize::from(load.flow) + 1).max().unwrap_or(0);
        Self {
            machine,
            load,
            now_ns: 0,
            agenda: load
                .iter()
                .enumerate()
                .map(|(job, load)| Reverse((load.at_ns, job, Due::Arrives)))
                .collect(),
            stage: Stage::new(machine.cores, workers, machine.low_workers),
            homes: (0..=workers).map(|_| Home::new(&machine.settings, flows)).collect(),
            low_until_ns: vec![0; flows],
            jobs: vec![Job::default(); load.len()],
            simulated: Simulated { fates: vec![Fate::default(); load.len()], ..Simulated::default() },
        }
    }

    fn next_ns(&self) -> Option<u64> {
        let end = self.stage.next_end_ns().map(|ns| self.now_ns.saturating_add(ns));
        let due = self.agenda.peek().map(|Reverse((at_ns, ..))| (*at_ns).max(self.now_ns));
        [end, due].into_iter().flatten().min()
    }

    const fn low(&self) -> usize {
        self.homes.len() - 1
    }

    /// It is there; its worker reads it when it next looks.
    fn arrive(&mut self, job: usize) {
        let Load { worker, connection, .. } = self.load[job];
        let known = worker.map(usize::from).filter(|&worker| worker < self.low());
        let home = known.unwrap_or(connection as usize % self.low());
        let is_idle = self.is_idle(home);
        self.homes[home].arrives(job, is_idle, self.now_ns);
        self.dispatch(home);
    }

    fn read(&mut self, job: usize, home: usize) {
        let Load { class, flow, .. } = self.load[job];
        let is_slow = self.low_until_ns[usize::from(flow)] > self.now_ns;
        let is_low = self.machine.low_workers > 0 && (class == Class::Batch || is_slow);
        self.jobs[job].ready_ns = self.now_ns;
        let fate = &mut self.simulated.fates[job];
        (fate.read_ns, fate.is_demoted) = (self.now_ns, is_low && class != Class::Batch);
        if is_low {
            return self.enter(job, self.low());
        }
        self.homes[home].overruns.begin(flow);
        self.enter(job, home);
    }

    fn is_idle(&self, home: usize) -> bool {
        self.stage.is_idle(home) && self.homes[home].ready.is_empty()
    }

    /// An ordinary worker that has nothing to do.
    fn idle_home(&self) -> Option<usize> {
        let is_free = |home: &usize| !self.homes[*home].is_claimed && self.homes[*home].sockets.is_empty();
        (0..self.low()).filter(is_free).find(|&home| self.is_idle(home))
    }

    /// One that has run no step goes to another worker, and no further.
    fn give(&mut self, job: usize, peer: usize) {
        self.simulated.fates[job].is_stolen = true;
        self.homes[peer].is_claimed = true;
        let at_ns = self.now_ns.saturating_add(self.load[job].handed_ns);
        self.agenda.push(Reverse((at_ns, job, Due::IsHandedOver { peer })));
    }

    fn take_over(&mut self, job: usize, peer: usize) {
        self.homes[peer].is_claimed = false;
        self.wait(job, peer);
    }

    /// A new one comes to a worker.
    fn enter(&mut self, job: usize, home: usize) {
        self.jobs[job].home = home;
        let (class, flow) = (self.class(job), self.load[job].flow);
        match self.homes[home].ready.enter(class, flow, self.now_ns) {
            Ok(ticket) => {
                self.homes[home].waiting.insert(ticket, job);
                if home == self.low() {
                    let set = self.machine.settings.batch;
                    for (ns, is_last) in [(set.target_ns, false), (set.interval_ns, true)] {
                        let at_ns = self.now_ns.saturating_add(ns);
                        self.agenda.push(Reverse((at_ns, job, Due::MayBeLate { ticket, is_last })));
                    }
                    self.dispatch(home);
                }
            }
            Err(refused) => match self.idle_home().filter(|_| home != self.low()) {
                Some(peer) => self.give(job, peer),
                None => self.refuse(job, refused),
            },
        }
    }

    /// Where low priority gets no core, the worker of its connection sends it away.
    fn look_after(&mut self, job: usize, ticket: Ticket, is_last: bool) {
        let low = self.low();
        let Home { ready, waiting, .. } = &mut self.homes[low];
        let busy_ns = ready.busy_ns(Class::Batch, self.now_ns);
        let is_burst = !is_last && busy_ns < self.machine.settings.batch.interval_ns;
        if !is_burst && waiting.remove(&ticket).is_some() {
            ready.leave(ticket, self.now_ns);
            self.refuse(job, Refused { class: Class::Batch, why: Why::Late });
        }
    }

    fn refuse(&mut self, job: usize, refused: Refused) {
        if refused.instead().is_some() && self.machine.low_workers > 0 {
            self.simulated.fates[job].is_demoted = true;
            return self.enter(job, self.low());
        }
        let queue_ns = self.now_ns - self.jobs[job].ready_ns;
        let fate = &mut self.simulated.fates[job];
        fate.queue_ns = fate.queue_ns.saturating_add(queue_ns);
        self.end(job, Some(refused.why));
    }

    /// One that has run before waits for its turn.
    fn enter_again(&mut self, job: usize, home: usize) {
        self.jobs[job].ready_ns = self.now_ns;
        self.wait(job, home);
    }

    fn wait(&mut self, job: usize, home: usize) {
        self.jobs[job].home = home;
        let (class, flow) = (self.class(job), self.load[job].flow);
        let ticket = self.homes[home].ready.enter_again(class, flow, self.now_ns);
        self.homes[home].waiting.insert(ticket, job);
        self.dispatch(home);
    }

    /// Gives the workers of a home something to do.
    fn dispatch(&mut self, home: usize) {
        while let Some(lane) = self.idle_lane(home) {
            if home != self.low() {
                for job in self.homes[home].look(self.now_ns) {
                    self.read(job, home);
                }
            }
            let Some(turn) = self.homes[home].ready.next(self.now_ns) else {
                if !self.homes[home].sockets.is_empty() {
                    continue;
                }
                self.take(home);
                break;
            };
            self.homes[home].behind.waited(turn.waited_ns, self.now_ns);
            let Some(job) = self.homes[home].waiting.remove(&turn.ticket) else { continue };
            match turn.goes {
                Ok(()) => {
                    let waited_ns = self.now_ns - self.jobs[job].ready_ns;
                    let fate = &mut self.simulated.fates[job];
                    fate.queue_ns = fate.queue_ns.saturating_add(waited_ns);
                    self.jobs[job].turn_ns = 0;
                    self.go_on(lane, job);
                    self.give_away(home);
                }
                Err(refused) => self.refuse(job, refused),
            }
        }
    }

    /// Gives those who wait to workers that are idle: once somebody has the turn, as a real worker does between steps.
    fn give_away(&mut self, home: usize) {
        while home != self.low()
            && self.homes[home].ready.has_new()
            && let Some(peer) = self.idle_home()
            && let Some(ticket) = self.homes[home].ready.steal(self.now_ns)
        {
            if let Some(job) = self.homes[home].waiting.remove(&ticket) {
                self.give(job, peer);
            }
        }
    }

    /// A worker that has run out of work takes one that waits elsewhere, unless one is on its way to it.
    fn take(&mut self, home: usize) {
        if home == self.low() || self.homes[home].is_claimed {
            return;
        }
        let has_new = |other: &usize| self.homes[*other].ready.has_new();
        let Some(other) = (0..self.low()).find(has_new) else { return };
        let Home { ready, waiting, .. } = &mut self.homes[other];
        if let Some(job) = ready.steal(self.now_ns).and_then(|ticket| waiting.remove(&ticket)) {
            self.give(job, home);
        }
    }

    fn idle_lane(&self, home: usize) -> Option<usize> {
        let lanes = if home == self.low() { home..home + self.machine.low_workers } else { home..home + 1 };
        lanes.into_iter().find(|&lane| self.stage.is_idle(lane))
    }

    /// The next part of one that has its turn; the worker is free afterwards unless it is a step.
    fn go_on(&mut self, lane: usize, job: usize) {
        match self.load[job].parts.get(self.jobs[job].part) {
            None => self.end(job, None),
            Some(Part::Step { takes, takes_low, .. }) => {
                let is_low = self.jobs[job].home == self.low();
                let Takes { before_ns, unseen_ns, ns } = if is_low { *takes_low } else { *takes };
                let fate = &mut self.simulated.fates[job];
                fate.queue_ns = fate.queue_ns.saturating_add(before_ns.saturating_sub(unseen_ns));
                fate.unseen_ns = fate.unseen_ns.saturating_add(unseen_ns);
                self.stage.start(lane, job, before_ns.saturating_add(ns));
            }
            Some(Part::Wait { ns }) => {
                self.jobs[job].part += 1;
                self.agenda.push(Reverse((self.now_ns.saturating_add(*ns), job, Due::GoesOn)));
            }
        }
    }

    fn step_ended(&mut self, lane: usize, job: usize) {
        let (class, flow, home) = (self.class(job), self.load[job].flow, self.jobs[job].home);
        let mut ran = None;
        let part = self.load[job].parts.get(self.jobs[job].part).copied();
        if let Some(Part::Step { step, takes, takes_low, own_ns }) = part {
            let ns = if home == self.low() { takes_low.ns } else { takes.ns };
            ran = Some(step);
            self.jobs[job].part += 1;
            self.jobs[job].turn_ns = self.jobs[job].turn_ns.saturating_add(ns);
            self.homes[home].ready.ran(class, flow, ns);
            self.homes[home].behind.ran(self.jobs[job].turn_ns, self.now_ns);
            if home == self.low() {
                self.simulated.low_busy_ns = self.simulated.low_busy_ns.saturating_add(ns);
            } else {
                self.simulated.busy_ns = self.simulated.busy_ns.saturating_add(ns);
                if own_ns > self.machine.settings.class(class).quantum_ns
                    && let Some(until_ns) = self.homes[home].overruns.overran(flow, step, self.now_ns)
                {
                    self.low_until_ns[usize::from(flow)] = until_ns;
                    self.simulated.slow.push(flow);
                }
            }
        }
        let next = self.load[job].parts.get(self.jobs[job].part);
        let runs_on = matches!(next, Some(Part::Step { .. }));
        // Only a step that yields is entered again.
        let yields = matches!((next, ran), (Some(Part::Step { step, .. }), Some(last)) if *step == last);
        let is_over = yields || self.jobs[job].turn_ns >= self.machine.settings.class(class).quantum_ns;
        let Home { ready, sockets, .. } = &self.homes[home];
        let others_wait = !ready.is_empty() || !sockets.is_empty();
        let is_slow = self.low_until_ns[usize::from(flow)] > self.now_ns;
        if runs_on && is_slow && home != self.low() && self.machine.low_workers > 0 {
            self.simulated.fates[job].is_demoted = true;
            self.enter_again(job, self.low());
        } else if runs_on && is_over && others_wait {
            self.enter_again(job, home);
        } else {
            if is_over {
                self.jobs[job].turn_ns = 0;
            }
            self.go_on(lane, job);
        }
        self.dispatch(home);
    }

    fn end(&mut self, job: usize, shed: Option<Why>) {
        let fate = &mut self.simulated.fates[job];
        fate.end_ns = self.now_ns;
        fate.shed = shed;
        fate.ends += 1;
    }

    /// In which queue it waits where it is.
    fn class(&self, job: usize) -> Class {
        if self.jobs[job].home == self.low() { Class::Batch } else { self.load[job].class }
    }
}
