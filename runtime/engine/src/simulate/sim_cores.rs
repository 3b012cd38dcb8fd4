//! Cores in virtual time: which executors run on them, and when the next one finishes. They know no policy.

/// A full core, in thousandths.
const FULL_CORE: u64 = 1000;

/// Speed of a low-priority executor while others use all cores, in thousandths: Linux weighs `SCHED_IDLE` with 3
/// against 1024.
const IDLE_WEIGHT: u64 = 3;

/// Executors that share the cores; each runs one request at a time. Ordinary ones share the cores evenly, those of
/// batch workers share the rest.
#[derive(Debug)]
pub(super) struct SimCores {
    cores: u64,
    /// Index of the first executor of a batch worker.
    batch_from: usize,
    executors: Vec<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    request: usize,
    /// Remaining work, in thousandths of nanoseconds.
    left: u64,
}

impl SimCores {
    pub(super) fn new(cores: usize, ordinary: usize, batch: usize) -> Self {
        let executors = (0..ordinary + batch).map(|_| None).collect();
        Self { cores: cores.max(1) as u64, batch_from: ordinary, executors }
    }

    pub(super) fn is_idle(&self, executor: usize) -> bool {
        self.executors[executor].is_none()
    }

    pub(super) fn start(&mut self, executor: usize, request: usize, ns: u64) {
        self.executors[executor] = Some(Running { request, left: ns.saturating_mul(FULL_CORE) });
    }

    /// Returns the time until the next executor finishes, in nanoseconds.
    pub(super) fn next_end_ns(&self) -> Option<u64> {
        let rates = self.rates();
        let ends = self.executors.iter().enumerate().filter_map(|(executor, running)| {
            running.as_ref().map(|running| running.left.div_ceil(self.rate(executor, rates)))
        });
        ends.min()
    }

    /// Advances the time.
    pub(super) fn pass(&mut self, ns: u64) {
        let rates = self.rates();
        for executor in 0..self.executors.len() {
            let rate = self.rate(executor, rates);
            if let Some(running) = &mut self.executors[executor] {
                running.left = running.left.saturating_sub(ns.saturating_mul(rate));
            }
        }
    }

    /// Removes a request that has finished, and returns it after its executor.
    pub(super) fn take_finished(&mut self) -> Option<(usize, usize)> {
        let is_finished = |running: &Option<Running>| matches!(running, Some(Running { left: 0, .. }));
        let executor = self.executors.iter().position(is_finished)?;
        self.executors[executor].take().map(|running| (executor, running.request))
    }

    const fn rate(&self, executor: usize, (ordinary, batch): (u64, u64)) -> u64 {
        if executor < self.batch_from { ordinary } else { batch }
    }

    /// Returns the current speed of an ordinary executor and of one of a batch worker.
    fn rates(&self) -> (u64, u64) {
        let (ordinary, batch) = self.executors.split_at(self.batch_from);
        let count = |executors: &[Option<Running>]| executors.iter().flatten().count() as u64;
        core_rates(self.cores, count(ordinary), count(batch))
    }
}

/// Returns the speed of each ordinary and of each low-priority executor, in thousandths of a core, while `ordinary` and
/// `low_priority` of them share the cores.
pub fn core_rates(cores: u64, ordinary: u64, low_priority: u64) -> (u64, u64) {
    let all = FULL_CORE.saturating_mul(cores.max(1));
    let each = (all / ordinary.max(1)).clamp(1, FULL_CORE);
    let left = all.saturating_sub(each.saturating_mul(ordinary));
    (each, (left / low_priority.max(1)).clamp(IDLE_WEIGHT, FULL_CORE))
}
