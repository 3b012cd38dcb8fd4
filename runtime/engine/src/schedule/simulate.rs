//! The policy in virtual time: what would become of a load on another machine, or under other settings. The same
//! [`Ready`] and [`Overruns`] decide as under real workers. The same load gives the same fates.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use zerver_trace::Class;

use super::stage::Stage;
use super::{Overruns, Ready, Refused, Scheduling, Ticket, Why};

/// What a load runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Cores that all workers share.
    pub cores: usize,
    /// Ordinary workers, at least one. Each gets its requests in turn and keeps them.
    pub workers: usize,
    /// Workers of low priority, for batch; with none, batch runs on the ordinary ones after the others.
    pub low_workers: usize,
    /// The policy.
    pub settings: Scheduling,
}

/// One request of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// When it could first run, in nanoseconds.
    pub at_ns: u64,
    /// Its class.
    pub class: Class,
    /// Its flow: a small number.
    pub flow: u16,
    /// What it does, in order.
    pub parts: Vec<Part>,
}

/// What a request does, as far as a scheduler can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A step runs.
    Step {
        /// Its position in the flow.
        step: u16,
        /// How long, in nanoseconds of a core.
        ns: u64,
    },
    /// It waits for effects.
    Wait {
        /// How long, in nanoseconds.
        ns: u64,
    },
}

/// What became of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    /// How long it could have run and did not, in nanoseconds.
    pub queue_ns: u64,
    /// When it ended, in nanoseconds on the clock of the load.
    pub end_ns: u64,
    /// Why it was sent away, unless it was served.
    pub shed: Option<Why>,
    /// Whether it was moved to a worker of low priority that its class does not run on.
    pub is_demoted: bool,
    /// How often it ended. Anything but 1 is a bug.
    pub ends: u32,
}

/// What became of a load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulated {
    /// For each request, in the order of the load.
    pub fates: Vec<Fate>,
    /// How long ordinary workers ran steps, all together, in nanoseconds.
    pub busy_ns: u64,
    /// The same of those of low priority.
    pub low_busy_ns: u64,
}

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
        while let Some(&Reverse((at_ns, job))) = run.agenda.peek()
            && at_ns <= run.now_ns
        {
            run.agenda.pop();
            if run.jobs[job].has_come { run.wait_ended(job) } else { run.arrive(job) }
        }
    }
    run.simulated
}

struct Run<'l> {
    machine: &'l Machine,
    load: &'l [Load],
    now_ns: u64,
    /// When which request arrives, or has waited for its effects.
    agenda: BinaryHeap<Reverse<(u64, usize)>>,
    stage: Stage,
    /// One for each ordinary worker, and one for all of low priority.
    homes: Vec<Home>,
    /// Until when each flow is to run at low priority.
    low_until_ns: Vec<u64>,
    jobs: Vec<Job>,
    next_home: usize,
    simulated: Simulated,
}

struct Home {
    ready: Ready,
    overruns: Overruns,
    waiting: BTreeMap<Ticket, usize>,
}

#[derive(Clone, Default)]
struct Job {
    has_come: bool,
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
        let home = || Home {
            ready: Ready::new(machine.settings.clone()),
            overruns: Overruns::new(&machine.settings, flows),
            waiting: BTreeMap::new(),
        };
        Self {
            machine,
            load,
            now_ns: 0,
            agenda: load.iter().enumerate().map(|(job, load)| Reverse((load.at_ns, job))).collect(),
            stage: Stage::new(machine.cores, workers, machine.low_workers),
            homes: (0..=workers).map(|_| home()).collect(),
            low_until_ns: vec![0; flows],
            jobs: vec![Job::default(); load.len()],
            next_home: 0,
            simulated: Simulated { fates: vec![Fate::default(); load.len()], ..Simulated::default() },
        }
    }

    fn next_ns(&self) -> Option<u64> {
        let end = self.stage.next_end_ns().map(|ns| self.now_ns.saturating_add(ns));
        let due = self.agenda.peek().map(|Reverse((at_ns, _))| (*at_ns).max(self.now_ns));
        [end, due].into_iter().flatten().min()
    }

    const fn low(&self) -> usize {
        self.homes.len() - 1
    }

    fn arrive(&mut self, job: usize) {
        let Load { class, flow, .. } = self.load[job];
        let is_slow = self.low_until_ns[usize::from(flow)] > self.now_ns;
        let is_low = self.machine.low_workers > 0 && (class == Class::Batch || is_slow);
        self.jobs[job].has_come = true;
        self.jobs[job].ready_ns = self.now_ns;
        self.simulated.fates[job].is_demoted = is_low && class != Class::Batch;
        if is_low {
            return self.enter(job, self.low());
        }
        self.next_home = (self.next_home + 1) % self.low();
        self.homes[self.next_home].overruns.begin(flow);
        self.enter(job, self.next_home);
    }

    /// A new one comes to a worker.
    fn enter(&mut self, job: usize, home: usize) {
        self.jobs[job].home = home;
        let (class, flow) = (self.class(job), self.load[job].flow);
        match self.homes[home].ready.enter(class, flow, self.now_ns) {
            Ok(ticket) => {
                self.homes[home].waiting.insert(ticket, job);
                self.dispatch(home);
            }
            Err(refused) => self.refuse(job, refused),
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
        self.jobs[job].home = home;
        self.jobs[job].ready_ns = self.now_ns;
        let (class, flow) = (self.class(job), self.load[job].flow);
        let ticket = self.homes[home].ready.enter_again(class, flow, self.now_ns);
        self.homes[home].waiting.insert(ticket, job);
        self.dispatch(home);
    }

    fn wait_ended(&mut self, job: usize) {
        self.enter_again(job, self.jobs[job].home);
    }

    /// Gives the workers of a home something to do.
    fn dispatch(&mut self, home: usize) {
        while let Some(lane) = self.idle_lane(home)
            && let Some(turn) = self.homes[home].ready.next(self.now_ns)
        {
            let Some(job) = self.homes[home].waiting.remove(&turn.ticket) else { continue };
            match turn.goes {
                Ok(()) => {
                    let waited_ns = self.now_ns - self.jobs[job].ready_ns;
                    let fate = &mut self.simulated.fates[job];
                    fate.queue_ns = fate.queue_ns.saturating_add(waited_ns);
                    self.jobs[job].turn_ns = 0;
                    self.go_on(lane, job);
                }
                Err(refused) => self.refuse(job, refused),
            }
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
            Some(Part::Step { ns, .. }) => self.stage.start(lane, job, *ns),
            Some(Part::Wait { ns }) => {
                self.jobs[job].part += 1;
                self.agenda.push(Reverse((self.now_ns.saturating_add(*ns), job)));
            }
        }
    }

    fn step_ended(&mut self, lane: usize, job: usize) {
        let (class, flow, home) = (self.class(job), self.load[job].flow, self.jobs[job].home);
        if let Some(Part::Step { step, ns }) = self.load[job].parts.get(self.jobs[job].part).copied() {
            self.jobs[job].part += 1;
            self.jobs[job].turn_ns = self.jobs[job].turn_ns.saturating_add(ns);
            self.homes[home].ready.ran(class, flow, ns);
            if home == self.low() {
                self.simulated.low_busy_ns = self.simulated.low_busy_ns.saturating_add(ns);
            } else {
                self.simulated.busy_ns = self.simulated.busy_ns.saturating_add(ns);
                if ns > self.machine.settings.class(class).quantum_ns
                    && let Some(until_ns) = self.homes[home].overruns.overran(flow, step, self.now_ns)
                {
                    self.low_until_ns[usize::from(flow)] = until_ns;
                }
            }
        }
        let runs_on = matches!(self.load[job].parts.get(self.jobs[job].part), Some(Part::Step { .. }));
        let is_slow = self.low_until_ns[usize::from(flow)] > self.now_ns;
        if runs_on && is_slow && home != self.low() && self.machine.low_workers > 0 {
            self.simulated.fates[job].is_demoted = true;
            self.enter_again(job, self.low());
        } else if runs_on && self.homes[home].ready.is_over(class, self.jobs[job].turn_ns) {
            self.enter_again(job, home);
        } else {
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
