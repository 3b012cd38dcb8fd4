//! Reports impure steps during development: steps whose two runs differ, because they use something besides their slots.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use zerver_engine::Job;
use zerver_replay::compare_jobs;
use zerver_trace::secret::Rule;

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

    /// Compares the two runs of a step: the events of `first` from `since` on, and those of `second`.
    pub(super) fn compare(&self, step: u16, first: &Job, since: usize, second: &Job) {
        // The `Serialize` of a value may panic.
        let compared = catch_unwind(AssertUnwindSafe(|| compare_jobs(first, since, second, &self.secrets)));
        let (Ok(findings), Some(step)) = (compared, first.flow().info().steps.get(usize::from(step))) else {
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
