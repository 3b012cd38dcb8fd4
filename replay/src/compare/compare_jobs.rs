//! Two runs of one step with the same inputs, side by side: what differs is the step's own doing.

use zerver_engine::Job;
use zerver_trace::secret::Rule;

use crate::compare::comparison::Comparison;
use crate::mask::Mask;
use crate::observed::{Observed, ObservedResponse};
use crate::recording::Secrets;
use crate::report::{Finding, FindingClass};

/// Where two jobs differ that had the same inputs: `first` from its event at `since` on, and all of `second`, which
/// was its [`Job::twin`] there. Empty if they are the same. What is told is masked as `rule` says.
pub fn compare_jobs(first: &Job, since: usize, second: &Job, rule: &Rule) -> Vec<Finding> {
    let (a, b) = (facts(first, since), facts(second, 0));
    let (flow, secrets) = (first.flow().info(), Secrets::default());
    let mut mask = Mask::of_job(first, rule);
    let written = a.runs.iter().chain(&b.runs).flat_map(|run| &run.writes).filter(|write| write.secret);
    written.filter_map(|write| write.value.value()).for_each(|value| mask.add(&value.root()));
    let findings = Comparison::new(flow, flow, &secrets, &mask).between(&a, &b, None);
    let blame = |finding| Finding { class: FindingClass::Nondeterminism, ..finding };
    findings.into_iter().map(blame).collect()
}

/// A text about a job with the secrets in it masked: by what `rule` says of the text, and copies of what the request
/// brought and its secret slots hold.
pub fn mask_for_job(text: &str, job: &Job, rule: &Rule) -> String {
    Mask::of_job(job, rule).text(text)
}

fn facts(job: &Job, since: usize) -> Observed<'_> {
    let events = job.events().get(since..).unwrap_or_default();
    let mut facts = Observed::of_run(job.flow().info(), events);
    if let Some((outcome, response)) = job.outcome() {
        facts.outcome = Some(outcome.clone());
        facts.response = response.and_then(|response| ObservedResponse::of(response));
    }
    facts
}
