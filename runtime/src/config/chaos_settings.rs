//! Settings of drills: the faults that are injected into effects.

use zerver_engine::{Chaos, ChaosRule};

/// Settings of drills. Without rules, there is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChaosSettings {
    pub(crate) rules: Vec<ChaosRule>,
    /// Decides which calls are hit. `None` for a random one.
    pub(crate) seed: Option<u64>,
    /// True if a drill may run without `zerver dev`.
    pub(crate) allow_outside_dev: bool,
}

impl ChaosSettings {
    /// Returns true if there is a drill.
    pub(crate) const fn is_on(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Returns the plan of the drill. `random` is its seed if the settings have none.
    pub(crate) fn plan(&self, random: u32) -> Chaos {
        Chaos::new(self.rules.iter().cloned(), self.seed.unwrap_or(random.into()))
    }
}
