//! Rules of chaos: which calls get which fault, and how often.

use std::fmt;
use std::time::Duration;

use zerver_trace::{EffectErrorKind, Name};

use super::label_pattern::LabelPattern;
use crate::Call;

/// A fault that a rule injects into a share of the calls that it matches.
///
/// Its text form is `KIND [SUMMARY] [@TARGET]=FAULT[:ARG]:PERCENT%`, such as `http GET rates..=timeout:10%`. Kind and summary
/// are those that `zerver trace` prints. `..` stands for any text.
///
/// ```
/// use std::time::Duration;
/// use zerver_engine::{ChaosFault, ChaosRule};
///
/// let rule: ChaosRule = "http @rates.example.com:443=latency:250ms:5%".parse().unwrap();
/// assert_eq!(rule.fault(), ChaosFault::Latency(Duration::from_millis(250)));
///
/// let error = "http=timout:5%".parse::<ChaosRule>().unwrap_err();
/// assert_eq!(error.to_string(), r#""http=timout:5%", character 6: unknown fault timout; did you mean timeout?"#);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ChaosRule {
    /// The rule as it was written.
    pub(super) text: String,
    /// Name of the kind; `None` for every kind.
    pub(super) kind: Option<String>,
    pub(super) summary: Option<LabelPattern>,
    pub(super) target: Option<LabelPattern>,
    pub(super) fault: ChaosFault,
    /// Share of the calls that the fault is injected into: more than 0, and at most 1.
    pub(super) share: f64,
}

/// Fault that a rule injects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChaosFault {
    /// The call is not made, and no answer arrives: it ends at its time limit, or with the deadline.
    Timeout,
    /// The call is not made, and fails at once with an error of this kind.
    Error(EffectErrorKind),
    /// The call is not made, and is answered at once with this HTTP status.
    Status(u16),
    /// The call is made after this time.
    Latency(Duration),
}

impl ChaosRule {
    /// Returns the rule as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the name of the kind of effect; `None` if the rule is for every kind.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Returns the fault that the rule injects.
    pub const fn fault(&self) -> ChaosFault {
        self.fault
    }

    /// Returns the rule as a trace names it.
    pub fn name(&self) -> Name {
        Name::from(self.text.clone())
    }

    /// Returns true if the rule is for calls like this one.
    pub(super) fn matches(&self, call: &Call) -> bool {
        self.kind.as_ref().is_none_or(|kind| kind == call.kind())
            && self
                .target
                .as_ref()
                .is_none_or(|pattern| call.target().is_some_and(|target| pattern.matches(&target)))
            && self
                .summary
                .as_ref()
                .is_none_or(|pattern| pattern.matches(&call.args_value().summary().unwrap_or_default()))
    }
}

/// Writes the rule as it was written.
impl fmt::Display for ChaosRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
