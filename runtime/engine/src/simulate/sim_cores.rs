//! Cores in virtual time: who runs on them, and when the next one has finished.

/// A full core, in thousandths.
const FULL: u64 = 1000;

/// What low priority gets where others take all cores: Linux weighs `SCHED_IDLE` with 3 against 1024.
const LEFT_OVER: u64 = 3;

/// Lanes that run on cores. Ordinary ones share the cores evenly; low ones share what is left.
#[derive(Debug)]
pub(super) struct Stage {
    cores: u64,
    /// The lanes from here on are low.
    low_from: usize,
    lanes: Vec<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    job: usize,
    /// In thousandths of nanoseconds.
    left: u64,
}

impl Stage {
    pub(super) fn new(cores: usize, ordinary: usize, low: usize) -> Self {
        let lanes = (0..ordinary + low).map(|_| None).collect();
        Self { cores: cores.max(1) as u64, low_from: ordinary, lanes }
    }

    pub(super) fn is_idle(&self, lane: usize) -> bool {
        self.lanes[lane].is_none()
    }

    pub(super) fn start(&mut self, lane: usize, job: usize, ns: u64) {
        self.lanes[lane] = Some(Running { job, left: ns.saturating_mul(FULL) });
    }

    /// In how many nanoseconds the next one has finished.
    pub(super) fn next_end_ns(&self) -> Option<u64> {
        let rates = self.rates();
        let ends = self.lanes.iter().enumerate().filter_map(|(lane, running)| {
            running.as_ref().map(|running| running.left.div_ceil(self.rate(lane, rates)))
        });
        ends.min()
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, ns: u64) {
        let rates = self.rates();
        for lane in 0..self.lanes.len() {
            let rate = self.rate(lane, rates);
            if let Some(running) = &mut self.lanes[lane] {
                running.left = running.left.saturating_sub(ns.saturating_mul(rate));
            }
        }
    }

    /// One that has finished: its lane and its job.
    pub(super) fn take_finished(&mut self) -> Option<(usize, usize)> {
        let lane = self.lanes.iter().position(|running| matches!(running, Some(Running { left: 0, .. })))?;
        self.lanes[lane].take().map(|running| (lane, running.job))
    }

    const fn rate(&self, lane: usize, (ordinary, low): (u64, u64)) -> u64 {
        if lane < self.low_from { ordinary } else { low }
    }

    /// How fast an ordinary lane goes, and a low one.
    fn rates(&self) -> (u64, u64) {
        let (ordinary, low) = self.lanes.split_at(self.low_from);
        let count = |lanes: &[Option<Running>]| lanes.iter().flatten().count() as u64;
        let (ordinary, low) = (count(ordinary), count(low));
        core_rates(self.cores, ordinary, low)
    }
}

/// How fast each of so many ordinary threads goes that share so many cores, and each of so many of low priority, in
/// thousandths of a core.
pub fn core_rates(cores: u64, ordinary: u64, low: u64) -> (u64, u64) {
    let all = FULL.saturating_mul(cores.max(1));
    let each = (all / ordinary.max(1)).clamp(1, FULL);
    let left = all.saturating_sub(each.saturating_mul(ordinary));
    (each, (left / low.max(1)).clamp(LEFT_OVER, FULL))
}
