//! Compares two runs of a step with the same inputs: a difference is nondeterminism in the step.

use zerver_engine::Job;
use zerver_trace::secret::Rule;

use crate::compare::comparison::Comparison;
use crate::mask::Mask;
use crate::observed::{Observed, ObservedResponse};
use crate::recording::Secrets;
use crate::report::{Finding, FindingClass};

/// Returns the differences between two jobs with the same inputs: the events of `first` from `since` on, and all events
/// of `second`, which was its [`Job::twin`] at that point. Secrets are masked by `rule`.
pub fn compare_jobs(first: &Job, since: usize, second: &Job, rule: &Rule) -> Vec<Finding> {
    let (a, b) = (observed(first, since), observed(second, 0));
    let (flow, secrets) = (first.flow().info(), Secrets::default());
    let mut mask = Mask::of_job(first, rule);
    let written = a.runs.iter().chain(&b.runs).flat_map(|run| &run.writes).filter(|write| write.secret);
    written.filter_map(|write| write.value.value()).for_each(|value| mask.add(&value.root()));
    let findings = Comparison::new(flow, flow, &secrets, &mask).compare(&a, &b, None);
    let as_nondeterminism = |finding| Finding { class: FindingClass::Nondeterminism, ..finding };
    findings.into_iter().map(as_nondeterminism).collect()
}

fn observed(job: &Job, since: usize) -> Observed<'_> {
    let events = job.events().get(since..).unwrap_or_default();
    let mut observed = Observed::of_run(job.flow().info(), events);
    if let Some((outcome, response)) = job.outcome() {
        observed.outcome = Some(outcome.clone());
        observed.response = response.and_then(ObservedResponse::of);
    }
    observed
}
