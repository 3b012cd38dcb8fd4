//! Finds values that a trace should have and lacks.

use zerver_replay::value::json::why;
use zerver_trace::{Recorded, RecordedBody, Trace};

use crate::timeline::rows::effect::EffectEnd;
use crate::timeline::rows::gap::Gap;
use crate::timeline::rows::slot_write::SlotWrite;
use crate::timeline::rows::timeline::StepRun;

/// Maximum number of values named.
const MAX_NAMED: usize = 20;

/// Returns a gap for each value that was not recorded. Bodies recorded in part are not included.
pub(crate) fn values(trace: &Trace, runs: &[StepRun]) -> Vec<Gap> {
    let mut missing = Missing::default();
    missing.look(&trace.target, || "the request's path and query".to_owned());
    for header in &trace.request_headers {
        missing.look(&header.value, || format!("the request's header {}", header.name));
    }
    let mut body = |name: &str, body: &RecordedBody| {
        // A body that was cut has a gap of its own.
        if body.full_len > 0 && body.kept_len >= body.full_len {
            missing.look(&body.bytes, || format!("the {name}'s body"));
        }
    };
    body("request", &trace.request_body);
    body("response", &trace.response_body);
    for run in runs {
        let written = |write: &SlotWrite| format!("slot {}", write.name);
        run.writes.iter().for_each(|write| missing.look(&write.value, || written(write)));
        if let Some(progress) = &run.progress {
            missing.look(progress, || format!("progress of {}", run.step.name));
        }
        for effect in &run.effects {
            missing.look(&effect.args, || format!("arguments of {}", effect.label()));
            for attempt in &effect.attempts {
                if let EffectEnd::Ok { output, .. } = &attempt.end {
                    missing.look(output, || format!("output of {}", effect.label()));
                }
            }
            effect.writes.iter().for_each(|write| missing.look(&write.value, || written(write)));
        }
    }
    for header in &trace.response_headers {
        missing.look(&header.value, || format!("the response's header {}", header.name));
    }
    missing.gaps.extend((missing.more > 0).then_some(Gap::MoreValues(missing.more)));
    missing.gaps
}

#[derive(Default)]
struct Missing {
    gaps: Vec<Gap>,
    more: u32,
}

impl Missing {
    fn look(&mut self, recorded: &Recorded, name: impl FnOnce() -> String) {
        match recorded {
            Recorded::Missing(_) if self.gaps.len() >= MAX_NAMED => self.more += 1,
            Recorded::Missing(missing) => self.gaps.push(Gap::Value(name(), why(missing))),
            _ => {}
        }
    }
}
