//! The policies of all targets, as the settings give them.

use std::collections::BTreeMap;

use zerver_engine::TargetPolicy;

/// Policies of targets. A target without a policy of its own has that of all others.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TargetSettings {
    pub(crate) default: TargetPolicy,
    pub(crate) named: BTreeMap<String, TargetPolicy>,
}

impl TargetSettings {
    /// Returns the policy of a target.
    pub(crate) fn policy(&self, target: &str) -> &TargetPolicy {
        self.named.get(target).unwrap_or(&self.default)
    }
}
