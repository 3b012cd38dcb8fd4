//! The scheduler of a service that runs: what it says of itself at `/healthz`, asked about once a second while that is
//! on the screen.

use std::collections::VecDeque;

/// How often it is asked.
const EVERY_NS: u64 = 1_000_000_000;
/// So many answers are kept for the lines of bars.
const MAX_ANSWERS: usize = 120;

/// What a service says of its scheduler. What it does not say is none, or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// `ok`, `degraded` where a worker hangs, `stuck` where all do.
    pub status: String,
    /// Its workers.
    pub workers: Vec<Worker>,
    /// How many requests wait: interactive, default, batch.
    pub waiting: [Option<u64>; 3],
    /// How many were sent away since the start: interactive, default, batch.
    pub shed: [u64; 3],
    /// How many moved to low priority on their way.
    pub moved: u64,
    /// How often a step overran its quantum.
    pub overruns: u64,
}

/// A worker of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// Whether it hangs in a step.
    pub is_stuck: bool,
    /// What it runs; none if nothing.
    pub running: Option<Running>,
}

/// A step that is being run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Its flow.
    pub flow: String,
    /// Its name.
    pub step: String,
    /// The id of the request, in full.
    pub request: String,
    /// Since when, in nanoseconds.
    pub for_ns: u64,
}

/// All that is known of the scheduler.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    /// Where the service is; none as long as nobody has said so.
    pub(crate) addr: Option<String>,
    /// Its last answer, or why there is none.
    pub(crate) answer: Option<Result<Health, String>>,
    /// Of each answer, the share of the workers that ran something, in percent,
    pub(crate) load: VecDeque<u64>,
    /// and how many requests waited.
    pub(crate) waiting: VecDeque<u64>,
    asked_unix_ns: u64,
    is_asked: bool,
}

impl Scheduler {
    /// The service is there now; what one said that was elsewhere does not count.
    pub(crate) fn serves_at(&mut self, addr: &str) {
        if self.addr.as_deref() != Some(addr) {
            *self = Self { addr: Some(addr.to_owned()), ..Self::default() };
        }
    }

    /// The address to ask, if it is time to.
    pub(crate) fn ask(&mut self, now_unix_ns: u64) -> Option<String> {
        if self.is_asked || now_unix_ns.saturating_sub(self.asked_unix_ns) < EVERY_NS {
            return None;
        }
        let addr = self.addr.clone()?;
        (self.is_asked, self.asked_unix_ns) = (true, now_unix_ns);
        Some(addr)
    }

    /// Takes an answer, unless it is of a service that was asked before.
    pub(crate) fn take(&mut self, addr: &str, answer: &Result<Health, String>) {
        if self.addr.as_deref() != Some(addr) {
            return;
        }
        self.is_asked = false;
        if let Ok(health) = answer {
            let busy = health.workers.iter().filter(|worker| worker.running.is_some()).count();
            keep(&mut self.load, (busy * 100 / health.workers.len().max(1)) as u64);
            keep(&mut self.waiting, health.waiting());
        }
        self.answer = Some(answer.clone());
    }

    /// The last answer, if it was one.
    pub(crate) fn health(&self) -> Option<&Health> {
        self.answer.as_ref()?.as_ref().ok()
    }
}

impl Health {
    /// How many requests wait, as far as it is said.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.iter().flatten().sum()
    }

    /// How many workers run something.
    pub(crate) fn busy(&self) -> usize {
        self.workers.iter().filter(|worker| worker.running.is_some()).count()
    }
}

fn keep(line: &mut VecDeque<u64>, value: u64) {
    if line.len() == MAX_ANSWERS {
        line.pop_front();
    }
    line.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_once_a_second_and_not_before_it_has_answered() {
        let mut scheduler = Scheduler::default();
        let s = |n: u64| n * EVERY_NS;
        assert_eq!(scheduler.ask(s(1)), None, "nobody has said where");
        scheduler.serves_at("127.0.0.1:3000");
        assert_eq!(scheduler.ask(s(2)).as_deref(), Some("127.0.0.1:3000"));
        assert_eq!(scheduler.ask(s(9)), None, "it has not answered");
        let running = Some(Running::default());
        let workers = vec![Worker { running, ..Worker::default() }, Worker::default()];
        let health = Health { workers, waiting: [None, Some(2), Some(3)], ..Health::default() };
        scheduler.take("127.0.0.1:3000", &Ok(health));
        assert_eq!((scheduler.load[0], scheduler.waiting[0]), (50, 5));
        assert_eq!(scheduler.ask(s(2) + 1), None, "it was asked just now");
        assert!(scheduler.ask(s(9)).is_some());
        scheduler.take("127.0.0.1:3000", &Err("gone".into()));
        assert_eq!((scheduler.health(), scheduler.load.len()), (None, 1));
        scheduler.serves_at("127.0.0.1:4000");
        scheduler.take("127.0.0.1:3000", &Ok(Health::default()));
        assert!(scheduler.answer.is_none() && scheduler.ask(s(9)).is_some());
    }
}
