//! Runs each step twice during development. If the runs differ, the step is impure: it uses something besides its slots. The
//! request uses the first run. Effects are performed once, and both runs get their results.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use zerver_engine::{CallResult, FinishedJob, Job, MAX_EVENTS, Next};
use zerver_replay::compare_jobs;
use zerver_trace::Outcome;
use zerver_trace::secret::Rule;

use super::safe_drop::discard;
use crate::time::Stopwatch;

/// Maximum number of differences in a message.
const MAX_REPORTED: usize = 3;

/// A step whose two runs with the same slots differed. See [`StartOptions::on_impure_step`](crate::StartOptions).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImpureStep {
    /// Name of the flow.
    pub flow: String,
    /// Name of the step.
    pub step: String,
    /// Source file of the step.
    pub file: String,
    /// Line of the step, from 1.
    pub line: u32,
    /// Differences, with both values unless they are secret: `Order.at: 17, then 18`.
    pub differences: Vec<String>,
}

impl fmt::Display for ImpureStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flow, step, file, line, differences } = self;
        write!(f, "step {step} of flow {flow} ({file}:{line}) gave different results in two runs: ")?;
        f.write_str(&differences[..differences.len().min(MAX_REPORTED)].join("; "))?;
        match differences.len().saturating_sub(MAX_REPORTED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Function that is called with each impure step, once for each step.
pub type OnImpureStep = Arc<dyn Fn(&ImpureStep) + Send + Sync>;

/// Reports impure steps, each step once.
pub(crate) struct PurityCheck {
    report: OnImpureStep,
    secrets: Rule,
    reported: Mutex<BTreeSet<(String, u32)>>,
}

impl PurityCheck {
    pub(crate) fn new(report: OnImpureStep, secrets: Rule) -> Arc<Self> {
        Arc::new(Self { report, secrets, reported: Mutex::default() })
    }

    /// Compares the two runs of a step.
    fn compare(&self, first: &Job, twin: &Twin) {
        // The `Serialize` of a value may panic.
        let compared =
            catch_unwind(AssertUnwindSafe(|| compare_jobs(first, twin.since, &twin.job, &self.secrets)));
        let (Ok(findings), Some(step)) = (compared, first.flow().info().steps.get(usize::from(twin.step)))
        else {
            return;
        };
        if findings.is_empty() {
            return;
        }
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if !reported.insert((step.file.clone(), step.line)) {
            return;
        }
        drop(reported);
        let difference = |finding: &zerver_replay::Finding| {
            format!("{}: {}, then {}", finding.field, finding.expected, finding.got)
        };
        (self.report)(&ImpureStep {
            flow: first.flow().info().name.clone(),
            step: step.name.clone(),
            file: step.file.clone(),
            line: step.line,
            differences: findings.iter().map(difference).collect(),
        });
    }
}

/// A job whose steps run twice if the purity check is on.
pub(crate) struct CheckedJob {
    job: Job,
    check: Option<Arc<PurityCheck>>,
    /// Boxed, because few jobs have a twin, and a job is large and is moved.
    twin: Option<Box<Twin>>,
}

/// The second run of a step.
struct Twin {
    job: Job,
    step: u16,
    /// Index of the first event of the first run.
    since: usize,
}

impl CheckedJob {
    pub(crate) const fn new(job: Job, check: Option<Arc<PurityCheck>>) -> Self {
        Self { job, check, twin: None }
    }

    /// Calls [`Job::finish`].
    pub(crate) fn finish(&mut self) -> FinishedJob {
        discard(self.twin.take());
        self.job.finish()
    }

    /// Calls [`Job::run`] on both jobs.
    pub(crate) fn run(&mut self, watch: &mut Stopwatch) -> Next {
        let twin = self.check.as_ref().and_then(|_| Twin::of(&self.job));
        let next = self.job.run(watch.now_ns(), || watch.tick());
        if let Some(twin) = twin {
            self.run_twin(twin, next, watch, |job| job.run(0, || 0));
        }
        next
    }

    /// Calls [`Job::complete`] on both jobs.
    pub(crate) fn complete(&mut self, number: u32, watch: &mut Stopwatch, performed: CallResult) -> Next {
        let twin = self.twin.take().map(|twin| (twin, performed.clone()));
        let next = self.job.complete(number, watch.tick(), performed);
        if let Some((twin, performed)) = twin {
            self.run_twin(twin, next, watch, |job| job.complete(number, 0, performed));
        }
        next
    }

    /// Calls [`Job::advance`] on both jobs.
    pub(crate) fn advance(&mut self, watch: &mut Stopwatch) -> Next {
        let next = self.job.advance(watch.tick());
        if let Some(twin) = self.twin.take() {
            self.run_twin(twin, next, watch, |job| job.advance(0));
        }
        next
    }

    /// Repeats an input with the twin. The time that it takes is not part of the times of the request.
    fn run_twin(
        &mut self,
        mut twin: Box<Twin>,
        next: Next,
        watch: &mut Stopwatch,
        input: impl FnOnce(&mut Job) -> Next,
    ) {
        // A panic is reported anyway. A second run would only repeat its message.
        if matches!(self.job.outcome(), Some((Outcome::Panicked { .. }, _))) {
            return discard(twin);
        }
        let started = Instant::now();
        // The twin may already wait for other effects than the first job. It then receives the wrong result and differs.
        if input(&mut twin.job) == next && matches!(next, Next::Wait | Next::Advance) {
            self.twin = Some(twin);
        } else {
            if let Some(check) = self.check.as_ref().filter(|_| self.job.events().len() < MAX_EVENTS) {
                check.compare(&self.job, &twin);
            }
            discard(twin);
        }
        watch.leave_out(started);
    }
}

impl Twin {
    fn of(job: &Job) -> Option<Box<Self>> {
        Some(Box::new(Self { job: job.twin()?, step: job.position(), since: job.events().len() }))
    }
}

impl Deref for CheckedJob {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.job
    }
}

impl DerefMut for CheckedJob {
    fn deref_mut(&mut self) -> &mut Job {
        &mut self.job
    }
}
