//! The states of all targets that the service has called, found by name.
//!
//! A look-up takes no lock and allocates nothing. The table is replaced as a whole when a target is called for the first
//! time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::target::Target;
use super::target_settings::TargetSettings;

/// Number of targets from which idle ones make room for new ones. The host of a call may come from a request, and must
/// not fill the memory.
const MAX_TARGETS: usize = 1_024;

/// The states of targets by name.
type Targets = HashMap<Arc<str>, Arc<Target>>;

/// Finds the state of a target.
pub(crate) struct TargetTable {
    targets: ArcSwap<Targets>,
    /// Current settings. A change of the table holds this lock.
    settings: Mutex<TargetSettings>,
    /// Makes the jitter differ between processes.
    seed: u64,
}

impl TargetTable {
    pub(crate) fn new(settings: TargetSettings, seed: u64) -> Self {
        Self { targets: ArcSwap::default(), settings: Mutex::new(settings), seed }
    }

    /// Returns the state of a target. `None` if there are too many targets in use, which then have no policy.
    pub(crate) fn find(&self, name: &str, now_ns: u64) -> Option<Arc<Target>> {
        match self.targets.load().get(name) {
            Some(target) => Some(Arc::clone(target)),
            None => self.add(name, now_ns),
        }
    }

    #[cold]
    fn add(&self, name: &str, now_ns: u64) -> Option<Arc<Target>> {
        let settings = self.lock();
        let mut targets = Targets::clone(&self.targets.load());
        if let Some(target) = targets.get(name) {
            return Some(Arc::clone(target));
        }
        if targets.len() >= MAX_TARGETS {
            targets.retain(|_, target| !target.is_idle(now_ns));
        }
        if targets.len() >= MAX_TARGETS {
            return None;
        }
        let name: Arc<str> = name.into();
        let seed = name.bytes().fold(self.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let target = Arc::new(Target::new(Arc::clone(&name), settings.policy(&name), seed));
        targets.insert(name, Arc::clone(&target));
        self.targets.store(Arc::new(targets));
        Some(target)
    }

    /// Replaces the policies. What is known about the targets stays.
    pub(crate) fn retune(&self, settings: &TargetSettings) {
        let mut current = self.lock();
        if *current == *settings {
            return;
        }
        current.clone_from(settings);
        for (name, target) in self.targets.load().iter() {
            target.retune(settings.policy(name));
        }
    }

    /// Returns all targets, ordered by name.
    pub(crate) fn all(&self) -> Vec<Arc<Target>> {
        let mut all: Vec<_> = self.targets.load().values().cloned().collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    fn lock(&self) -> MutexGuard<'_, TargetSettings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
