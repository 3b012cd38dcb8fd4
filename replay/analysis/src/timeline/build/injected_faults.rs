//! Faults that chaos injected into effects.

use crate::timeline::build::builder::TimelineBuilder;
use crate::timeline::rows::effect::InjectedFault;

impl TimelineBuilder<'_> {
    /// Records that a rule injected a fault into a call. Faults of an unknown call are left out.
    pub(super) fn injected(&mut self, call: u32, at_ns: u64, rule: &str) {
        let Some(place) = self.calls.get(&call) else { return };
        let effect = &mut self.runs[place.run].effects[place.effect];
        effect.injected_faults.push(InjectedFault { call, at_ns, rule: rule.to_owned() });
    }
}
