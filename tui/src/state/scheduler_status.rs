//! Scheduler of a running service, as polled from its status endpoint while visible.

use std::collections::VecDeque;

/// Polling interval, in nanoseconds.
const POLL_INTERVAL_NS: u64 = 1_000_000_000;
/// Number of samples kept for sparklines.
const MAX_SAMPLES: usize = 120;

/// Status of a scheduler. Anything that the service does not report is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchedulerStatus {
    /// `ok`, `degraded` if a worker is stuck, `stuck` if all are.
    pub status: String,
    /// Time since the start of the service, in nanoseconds.
    pub uptime_ns: Option<u64>,
    /// Workers of the service.
    pub workers: Vec<WorkerStatus>,
    /// Run queue lengths: interactive, default, batch.
    pub queue_lengths: [Option<u64>; 3],
    /// Requests shed since the start: interactive, default, batch.
    pub shed: [u64; 3],
    /// Requests reclassified to low priority since the start.
    pub reclassified: u64,
    /// Steps that exceeded their quantum since the start.
    pub overruns: u64,
    /// Targets whose circuit breaker is not closed, with its state: `open` or `half_open`.
    pub breakers: Vec<(String, String)>,
}

/// Status of a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Name of the worker.
    pub name: String,
    /// True if a step blocks the worker.
    pub is_stuck: bool,
    /// Busy time since the start, in nanoseconds.
    pub busy_ns: Option<u64>,
    /// Step that is running, if any.
    pub running: Option<RunningStep>,
}

/// A running step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningStep {
    /// Name of its flow.
    pub flow: String,
    /// Name of the step.
    pub step: String,
    /// Full id of the request.
    pub request: String,
    /// Time since the step started, in nanoseconds.
    pub running_ns: u64,
}

/// Busy time as a percentage, per polling interval.
#[derive(Debug, Clone, Default)]
pub(crate) struct BusyHistory {
    /// Percentages, newest last.
    pub(crate) samples: VecDeque<u64>,
    /// Busy time and uptime at the last poll.
    last_totals: Option<(u64, u64)>,
}

impl BusyHistory {
    /// Returns the latest percentage.
    pub(crate) fn latest(&self) -> Option<u64> {
        self.samples.back().copied()
    }

    fn record(&mut self, busy_ns: u64, of_ns: u64) {
        let before = self.last_totals.replace((busy_ns, of_ns));
        // After a restart, the service counts from zero.
        let Some((busy_before, of_before)) = before.filter(|(_, of_before)| *of_before < of_ns) else {
            return;
        };
        let busy = u128::from(busy_ns.saturating_sub(busy_before));
        keep(&mut self.samples, (busy * 100 / u128::from(of_ns - of_before)).min(100) as u64);
    }
}

/// Scheduler status over time.
#[derive(Debug, Default)]
pub(crate) struct SchedulerHistory {
    /// Address of the service, once known.
    pub(crate) addr: Option<String>,
    /// Latest status, or the reason why there is none.
    pub(crate) answer: Option<Result<SchedulerStatus, String>>,
    /// Load of all workers together.
    pub(crate) load: BusyHistory,
    /// Load of each worker, by name.
    pub(crate) loads: Vec<(String, BusyHistory)>,
    /// Run queue lengths per poll: interactive, default, batch.
    pub(crate) queue_lengths: [VecDeque<u64>; 3],
    asked_unix_ns: u64,
    is_asked: bool,
}

impl SchedulerHistory {
    /// Sets the address of the service. A new address resets everything else.
    pub(crate) fn set_address(&mut self, addr: &str) {
        if self.addr.as_deref() != Some(addr) {
            *self = Self { addr: Some(addr.to_owned()), ..Self::default() };
        }
    }

    /// Returns the address to query if a poll is due.
    pub(crate) fn poll_address(&mut self, now_unix_ns: u64) -> Option<String> {
        if self.is_asked || now_unix_ns.saturating_sub(self.asked_unix_ns) < POLL_INTERVAL_NS {
            return None;
        }
        let addr = self.addr.clone()?;
        (self.is_asked, self.asked_unix_ns) = (true, now_unix_ns);
        Some(addr)
    }

    /// Records a status, unless it comes from another address.
    pub(crate) fn record(&mut self, addr: &str, answer: &Result<SchedulerStatus, String>) {
        if self.addr.as_deref() != Some(addr) {
            return;
        }
        self.is_asked = false;
        if let Ok(health) = answer {
            self.record_loads(health);
            for (samples, queue_lengths) in self.queue_lengths.iter_mut().zip(health.queue_lengths) {
                keep(samples, queue_lengths.unwrap_or(0));
            }
        }
        self.answer = Some(answer.clone());
    }

    fn record_loads(&mut self, health: &SchedulerStatus) {
        let Some(uptime_ns) = health.uptime_ns else { return };
        let workers = &health.workers;
        self.loads.retain(|(name, _)| workers.iter().any(|worker| worker.name == *name));
        for WorkerStatus { name, busy_ns, .. } in workers {
            let at = self.loads.iter().position(|(other, _)| other == name).unwrap_or_else(|| {
                self.loads.push((name.clone(), BusyHistory::default()));
                self.loads.len() - 1
            });
            self.loads[at].1.record(busy_ns.unwrap_or(0), uptime_ns);
        }
        let busy_ns = workers.iter().filter_map(|worker| worker.busy_ns).fold(0, u64::saturating_add);
        self.load.record(busy_ns, uptime_ns.saturating_mul(workers.len() as u64));
    }

    /// Returns the load of a worker.
    pub(crate) fn busy_of(&self, worker: &str) -> Option<&BusyHistory> {
        self.loads.iter().find(|(name, _)| name == worker).map(|(_, load)| load)
    }

    /// Returns the latest status, if there is one.
    pub(crate) fn health(&self) -> Option<&SchedulerStatus> {
        self.answer.as_ref()?.as_ref().ok()
    }
}

fn keep(samples: &mut VecDeque<u64>, value: u64) {
    if samples.len() == MAX_SAMPLES {
        samples.pop_front();
    }
    samples.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheduler_is_polled_once_a_second_without_overlap() {
        let mut scheduler = SchedulerHistory::default();
        let s = |n: u64| n * POLL_INTERVAL_NS;
        assert_eq!(scheduler.poll_address(s(1)), None, "no address yet");
        scheduler.set_address("127.0.0.1:3000");
        assert_eq!(scheduler.poll_address(s(2)).as_deref(), Some("127.0.0.1:3000"));
        assert_eq!(scheduler.poll_address(s(9)), None, "a poll is pending");
        let health =
            SchedulerStatus { queue_lengths: [None, Some(2), Some(3)], ..SchedulerStatus::default() };
        scheduler.record("127.0.0.1:3000", &Ok(health));
        assert_eq!(scheduler.queue_lengths.each_ref().map(|samples| samples[0]), [0, 2, 3]);
        assert_eq!(scheduler.poll_address(s(2) + 1), None, "just polled");
        assert!(scheduler.poll_address(s(9)).is_some());
        scheduler.record("127.0.0.1:3000", &Err("gone".into()));
        assert_eq!((scheduler.health(), scheduler.queue_lengths[0].len()), (None, 1));
        scheduler.set_address("127.0.0.1:4000");
        scheduler.record("127.0.0.1:3000", &Ok(SchedulerStatus::default()));
        assert!(scheduler.answer.is_none() && scheduler.poll_address(s(9)).is_some());
    }
    #[test]
    fn load_is_computed_between_polls() {
        let mut scheduler = SchedulerHistory::default();
        scheduler.set_address("here");
        let mut take = |uptime_ns, busy: &[(&str, u64)]| {
            let worker = |(name, busy_ns): &(&str, u64)| WorkerStatus {
                name: (*name).to_owned(),
                busy_ns: Some(*busy_ns),
                ..WorkerStatus::default()
            };
            let workers = busy.iter().map(worker).collect();
            scheduler
                .record("here", &Ok(SchedulerStatus { uptime_ns, workers, ..SchedulerStatus::default() }));
            let each =
                busy.iter().map(|(name, _)| scheduler.busy_of(name).and_then(BusyHistory::latest)).collect();
            (scheduler.load.latest(), each)
        };
        assert_eq!(take(None, &[("a", 1)]), (None, vec![None]), "no uptime");
        assert_eq!(take(Some(1_000), &[("a", 900), ("b", 900)]), (None, vec![None, None]), "only one sample");
        assert_eq!(take(Some(2_000), &[("a", 1_400), ("b", 900)]), (Some(25), vec![Some(50), Some(0)]));
        assert_eq!(take(Some(500), &[("a", 9), ("b", 0)]).0, Some(25), "restarted");
        assert_eq!(take(Some(600), &[("a", 109), ("c", 50)]).1, vec![Some(100), None], "another worker");
        assert_eq!(take(Some(u64::MAX), &[("a", u64::MAX), ("c", u64::MAX)]).0, Some(100));
    }
}
