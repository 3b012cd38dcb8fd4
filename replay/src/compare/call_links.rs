//! Correspondence between recorded calls and today's.

use std::collections::BTreeMap;

/// Calls of today's run and the recorded calls that they correspond to, by number.
///
/// Calls correspond if they have the same kind and arguments. If there are several, they correspond in order.
#[derive(Default)]
pub(crate) struct CallLinks {
    recorded: BTreeMap<u32, u32>,
    today: BTreeMap<u32, u32>,
}

impl CallLinks {
    pub(crate) fn add(&mut self, today: u32, recorded: u32) {
        self.recorded.insert(today, recorded);
        self.today.insert(recorded, today);
    }

    /// Returns the recorded call for one of today's.
    pub(crate) fn recorded_of(&self, today: u32) -> Option<u32> {
        self.recorded.get(&today).copied()
    }

    /// Returns today's call for a recorded one.
    pub(crate) fn today_of(&self, recorded: u32) -> Option<u32> {
        self.today.get(&recorded).copied()
    }
}
