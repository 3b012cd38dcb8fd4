//! Which steps keep others waiting: those that overrun the quantum of their class often.

use std::collections::VecDeque;

use super::{Often, Scheduling};

/// What one worker knows of the overruns of its flows. A step overruns often when it does so as many times among as many
/// requests as [`Often`] says; a single one may be the system's doing.
#[derive(Debug)]
pub struct Overruns {
    often: Often,
    probation_ns: u64,
    flows: Vec<Flow>,
}

#[derive(Debug, Default)]
struct Flow {
    /// Requests that have begun.
    begun: u64,
    /// For each step that has overrun: how many had begun at its last overruns.
    steps: Vec<(u16, VecDeque<u64>)>,
}

impl Overruns {
    /// Nothing has overrun.
    pub fn new(settings: &Scheduling, flows: usize) -> Self {
        let mut all = Vec::new();
        all.resize_with(flows, Flow::default);
        Self { often: settings.overruns, probation_ns: settings.probation_ns, flows: all }
    }

    /// Other settings, from now on.
    pub fn retune(&mut self, settings: &Scheduling) {
        (self.often, self.probation_ns) = (settings.overruns, settings.probation_ns);
    }

    /// A request of this flow begins.
    pub fn begin(&mut self, flow: u16) {
        if let Some(flow) = self.flows.get_mut(usize::from(flow)) {
            flow.begun += 1;
        }
    }

    /// Whether one of its steps has overrun lately, so that another time is worth a closer look.
    pub fn is_suspect(&self, flow: u16) -> bool {
        let Some(Flow { begun, steps }) = self.flows.get(usize::from(flow)) else { return false };
        let is_late = |last: &u64| begun.saturating_sub(*last) < self.often.of;
        steps.iter().any(|(_, last)| last.back().is_some_and(is_late))
    }

    /// A step has overrun. Until when its flow is to run where batch does, if it does so often.
    pub fn overran(&mut self, flow: u16, step: u16, now_ns: u64) -> Option<u64> {
        let times = self.often.times as usize;
        let Flow { begun, steps } = self.flows.get_mut(usize::from(flow))?;
        let at = steps.iter().position(|(known, _)| *known == step).unwrap_or(steps.len());
        if at == steps.len() {
            steps.push((step, VecDeque::new()));
        }
        let last = &mut steps[at].1;
        last.push_back(*begun);
        if last.len() < times {
            return None;
        }
        // There are more than enough where it took more overruns until a moment ago.
        last.drain(..last.len() - times);
        let oldest = last.pop_front()?;
        if begun.saturating_sub(oldest) >= self.often.of {
            return None;
        }
        // It begins anew after its probation.
        last.clear();
        Some(now_ns.saturating_add(self.probation_ns))
    }
}
