//! Two runs of one step with the same inputs, side by side: what differs is the step's own doing.

use zerver_engine::Job;
use zerver_trace::Value;

use super::compare::Comparison;
use super::facts::{Facts, Reply};
use super::mask::{Mask, is_sensitive};
use super::replay::Secrets;
use super::report::{Finding, FindingClass};

/// Where two jobs differ that had the same inputs: `first` from its event at `since` on, and all of `second`, which
/// was its [`Job::twin`] there. Empty if they are the same.
pub fn apart(first: &Job, since: usize, second: &Job) -> Vec<Finding> {
    let (a, b) = (facts(first, since), facts(second, 0));
    let (flow, secrets) = (first.flow().info(), Secrets::default());
    let mut mask = Mask::default();
    let headers = first.request().headers.iter().filter(|(name, _)| is_sensitive(name.as_str()));
    headers.for_each(|(_, value)| mask.add_bytes(value.as_bytes()));
    let held = flow.slots.iter().enumerate().filter(|(_, slot)| slot.secret);
    for datum in held.filter_map(|(at, _)| first.slot(at as u16)) {
        if let Ok(value) = Value::of_data(&**datum) {
            mask.add(&value.root());
        }
    }
    let written = a.runs.iter().chain(&b.runs).flat_map(|run| &run.writes).filter(|write| write.secret);
    written.filter_map(|write| write.value.value()).for_each(|value| mask.add(&value.root()));
    let findings = Comparison::of_flows(flow, flow, &secrets, &mask).between(&a, &b, None);
    let blame = |finding| Finding { class: FindingClass::Nondeterminism, ..finding };
    findings.into_iter().map(blame).collect()
}

fn facts(job: &Job, since: usize) -> Facts<'_> {
    let events = job.events().get(since..).unwrap_or_default();
    let mut facts = Facts::of_run(job.flow().info(), events);
    if let Some((outcome, response)) = job.ended() {
        facts.outcome = Some(outcome.clone());
        facts.response = response.and_then(|response| Reply::of(response));
    }
    facts
}
