//! Tracks steps that often overrun the quantum of their class, and so delay other requests. It only counts; the caller
//! reclassifies the flow.

use std::collections::VecDeque;

use super::{OverrunLimit, SchedulingSettings};

/// The recent overruns of each flow on one worker.
///
/// A single overrun may be the system's doing, so a flow is reclassified only once one of its steps reaches the
/// [`OverrunLimit`].
#[derive(Debug)]
pub struct OverrunTracker {
    limit: OverrunLimit,
    probation_ns: u64,
    flows: Vec<FlowOverruns>,
}

#[derive(Debug, Default)]
struct FlowOverruns {
    /// Number of requests that have started.
    started: u64,
    /// For each step that has overrun, the values of `started` at its latest overruns.
    steps: Vec<(u16, VecDeque<u64>)>,
}

impl OverrunTracker {
    /// Creates a tracker for flows numbered from 0 to `flows`, without any overrun.
    pub fn new(settings: &SchedulingSettings, flows: usize) -> Self {
        let mut all = Vec::new();
        all.resize_with(flows, FlowOverruns::default);
        Self { limit: settings.overruns, probation_ns: settings.probation_ns, flows: all }
    }

    /// Replaces the settings.
    pub fn set_settings(&mut self, settings: &SchedulingSettings) {
        (self.limit, self.probation_ns) = (settings.overruns, settings.probation_ns);
    }

    /// Counts a request of this flow that starts.
    pub fn request_started(&mut self, flow: u16) {
        if let Some(flow) = self.flows.get_mut(usize::from(flow)) {
            flow.started += 1;
        }
    }

    /// Returns true if one of the flow's steps has overrun recently, so that its next overrun deserves a closer
    /// measurement.
    pub fn is_suspect(&self, flow: u16) -> bool {
        let Some(FlowOverruns { started, steps }) = self.flows.get(usize::from(flow)) else { return false };
        let is_recent = |last: &u64| started.saturating_sub(*last) < self.limit.of;
        steps.iter().any(|(_, last)| last.back().is_some_and(is_recent))
    }

    /// Records that a step has overrun its quantum. If that reaches the limit, returns the time until which the flow is
    /// to run as batch.
    pub fn record_overrun(&mut self, flow: u16, step: u16, now_ns: u64) -> Option<u64> {
        let times = self.limit.times as usize;
        let FlowOverruns { started, steps } = self.flows.get_mut(usize::from(flow))?;
        let at = steps.iter().position(|(known, _)| *known == step).unwrap_or(steps.len());
        if at == steps.len() {
            steps.push((step, VecDeque::new()));
        }
        let last = &mut steps[at].1;
        last.push_back(*started);
        if last.len() < times {
            return None;
        }
        // There are more than `times` if the limit has just been lowered.
        last.drain(..last.len() - times);
        let oldest = last.pop_front()?;
        if started.saturating_sub(oldest) >= self.limit.of {
            return None;
        }
        // After its probation the flow starts with a clean record.
        last.clear();
        Some(now_ns.saturating_add(self.probation_ns))
    }
}
