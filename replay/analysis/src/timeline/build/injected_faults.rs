//! Notes about effects: faults that chaos injected, decisions of policies, and lines that they logged.

use zerver_trace::{Event, LogLevel, Name, Recorded};

use crate::timeline::build::builder::TimelineBuilder;
use crate::timeline::rows::effect::{InjectedFault, LogLine, PolicyNote};

impl TimelineBuilder<'_> {
    /// Records that a rule injected a fault into a call. Faults of an unknown call are left out.
    pub(super) fn injected(&mut self, call: u32, at_ns: u64, rule: &str) {
        let Some(place) = self.calls.get(&call) else { return };
        let effect = &mut self.runs[place.run].effects[place.effect];
        effect.injected_faults.push(InjectedFault { call, at_ns, rule: rule.to_owned() });
    }

    /// Records a decision of a policy about a call. Decisions about an unknown call are left out.
    pub(super) fn take_decision(&mut self, event: &Event<Recorded>) {
        let &Event::PolicyDecided { call, at_ns, decision, wait_ns } = event else { return };
        if let Some(place) = self.calls.get(&call) {
            let effect = &mut self.runs[place.run].effects[place.effect];
            effect.policy_decisions.push(PolicyNote { call, at_ns, decision, wait_ns });
        }
    }

    /// Records a line that was logged while a call was performed, or by a step. Lines of an unknown call are left out.
    pub(super) fn take_line(&mut self, event: &Event<Recorded>) {
        let new_line = |call, at_ns: &u64, level: &LogLevel, target: &Name, line: &Recorded| LogLine {
            call,
            at_ns: *at_ns,
            level: *level,
            target: target.to_string(),
            line: line.clone(),
        };
        match event {
            Event::Logged { call, at_ns, level, target, line } => {
                let Some(place) = self.calls.get(call) else { return };
                let line = new_line(Some(*call), at_ns, level, target, line);
                self.runs[place.run].effects[place.effect].log_lines.push(line);
            }
            Event::StepLogged { step, at_ns, level, target, line } => {
                let run = self.run_of(*step, *at_ns);
                self.runs[run].log_lines.push(new_line(None, at_ns, level, target, line));
            }
            _ => {}
        }
    }
}
