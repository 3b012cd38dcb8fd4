//! The settings that can change while a service runs, replaced as a whole.

use std::sync::Arc;
use std::time::Duration;

use zerver_engine::{Flow, SchedulingSettings};

use super::class_rules::ClassRule;
use super::effect_limits::EffectLimits;
use super::targets::TargetSettings;
use crate::config::Config;
use crate::effects::outbound::Outbound;
use crate::time::nanos;

/// Settings that can change while a service runs.
#[derive(Debug, Clone)]
pub(crate) struct Tuning {
    pub(crate) scheduling: SchedulingSettings,
    pub(crate) rules: Vec<ClassRule>,
    /// Deadline of requests whose flow has none of its own.
    pub(crate) deadline: Duration,
    pub(crate) effects: EffectLimits,
    pub(crate) targets: TargetSettings,
    pub(crate) outbound: Arc<Outbound>,
}

impl Tuning {
    /// Returns the part of the settings that can change while the service runs.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            scheduling: config.scheduling.clone(),
            rules: config.rules.clone(),
            deadline: config.deadline,
            effects: EffectLimits::from_limits(&config.limits),
            targets: config.targets.clone(),
            outbound: Arc::new(Outbound::new(config)),
        }
    }

    /// Returns the deadline of requests of a flow, in nanoseconds since their arrival.
    pub(super) fn deadline_ns(&self, flow: &Flow) -> u64 {
        nanos(flow.deadline().unwrap_or(self.deadline))
    }
}
