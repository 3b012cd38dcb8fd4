//! Result of a replay. Everything in a report is masked already, so it may be printed.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};
use zerver_trace::{Recorded, Value};

use crate::missing_input::MissingInput;
use crate::{RecordedJson, Sameness};

/// Result of a replay.
#[derive(Debug, Clone, Default, PartialEq, Encode, Decode)]
pub struct Report {
    /// Inputs of the recorded request that were needed and could not be rebuilt. If there are any, the rest of the
    /// report is empty.
    pub missing_inputs: Vec<MissingInput>,
    /// Counts of what was reproduced.
    pub coverage: Coverage,
    /// Differences between the recording and today's run, in the order of the flow.
    pub findings: Vec<Finding>,
    /// Edits that took effect.
    pub applied: Vec<AppliedEdit>,
    /// Recorded values that could not be compared, each with the reason.
    pub not_compared: Vec<String>,
    /// Further remarks for the user.
    pub notes: Vec<String>,
    /// Response of today's code; `None` if there was none.
    pub response: Option<ReplayedResponse>,
    /// Outcome of a run with edits, in virtual time; `None` without edits, or if the run did not end.
    pub edited_outcome: Option<EditedOutcome>,
    /// Consequences of the failure of a run with edits, for the effects that change something.
    pub consequences: Vec<Consequence>,
}

/// Consequence of a failure for an effect that changes something.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Consequence {
    /// Number of the call.
    pub call: u32,
    /// Effect as a timeline names it.
    pub effect: String,
    /// State of the effect after the failure.
    pub state: ConsequenceState,
}

/// State of an effect of a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsequenceState {
    /// Its undo succeeded.
    Undone,
    /// Its undo failed.
    NotUndone,
    /// The effect succeeded and has no undo.
    Kept,
    /// The effect may have been performed, and has not been undone.
    Unknown,
}

/// Outcome of a run with edits, and its duration in virtual time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct EditedOutcome {
    /// Outcome as in traces: `done`, `failed`, `panicked`, `timed_out` or `gone`.
    pub outcome: String,
    /// The failure in words; empty if nothing failed.
    pub failure: String,
    /// Kind of the failure, such as `timeout`. If the request's deadline passed: `flow_deadline` for a deadline of the
    /// flow, `service_deadline` for that of the service, `default_deadline` if it has none of its own. Empty if nothing
    /// failed.
    pub failure_kind: String,
    /// Call whose error became the failure without a step handling it.
    pub call: Option<u32>,
    /// Step that failed; empty if none did.
    pub step: String,
    /// Duration in virtual time, in nanoseconds: steps and effects take their recorded time, except where an edit
    /// changes it.
    pub duration_ns: u64,
    /// Duration of the recorded request, in nanoseconds.
    pub recorded_duration_ns: u64,
}

impl Report {
    /// Returns whether the run reproduced the recording. The result is incomplete if the request could not be run or
    /// not everything could be compared.
    pub fn sameness(&self) -> Sameness {
        let is_unrecorded = |finding: &Finding| finding.class == FindingClass::Unrecorded;
        let is_whole = self.missing_inputs.is_empty()
            && self.not_compared.is_empty()
            && !self.findings.iter().any(is_unrecorded);
        Sameness::of(!self.findings.iter().all(is_unrecorded), is_whole)
    }

    /// Returns true if everything recorded was compared and reproduced.
    pub fn is_same(&self) -> bool {
        self.sameness() == Sameness::Same
    }

    /// Returns the verdict in a word: `same`, `different` or `incomplete`.
    pub fn verdict(&self) -> &'static str {
        self.sameness().as_str()
    }
}

impl From<Finding> for Report {
    /// Creates a report with one finding and nothing else.
    fn from(finding: Finding) -> Self {
        Self { findings: vec![finding], ..Self::default() }
    }
}

/// Counts of what was reproduced of a recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Coverage {
    /// Number of recorded decisions that came out the same.
    pub decisions_reproduced: u32,
    /// Number of recorded decisions.
    pub decisions_recorded: u32,
    /// Number of effects answered from the recording or by an edit.
    pub effects_replayed: u32,
    /// Number of effects performed for real.
    pub effects_live: u32,
    /// Number of effects for which there was no answer.
    pub effects_unanswered: u32,
}

/// A difference between the recording and today's run.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize)]
pub struct Finding {
    /// Class of the difference.
    pub class: FindingClass,
    /// Step; empty if the finding is about the request as a whole.
    pub step: String,
    /// Field that differs: a slot and a path in it, an effect and a path in its arguments, or a part of the response.
    pub field: String,
    /// Recorded side.
    pub expected: ReportedValue,
    /// Today's side.
    pub got: ReportedValue,
    /// Source location of the step.
    pub source: Option<SourceLocation>,
}

/// Class of a finding: what caused the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingClass {
    /// Today's code behaves differently with the same inputs.
    CodeChanged,
    /// An edit caused the difference.
    InputEdited,
    /// Two runs of today's code with the same inputs differ.
    Nondeterminism,
    /// A recorded effect is no longer requested.
    MissingEffect,
    /// An effect is requested that was not recorded.
    ExtraEffect,
    /// An effect is requested at a different point.
    ReorderedEffect,
    /// An effect had no answer, and the replay ended there.
    Unanswered,
    /// The service process ended, or the run never did.
    Died,
    /// The text of a call changed but not its identity, so it was answered from the recording.
    RewordedEffect,
    /// The recording lacks the answer of an effect, and the replay ended there. Nothing is known to differ.
    Unrecorded,
}

impl FindingClass {
    /// Returns the word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CodeChanged => "code_changed",
            Self::InputEdited => "input_edited",
            Self::Nondeterminism => "nondeterminism",
            Self::MissingEffect => "missing_effect",
            Self::ExtraEffect => "extra_effect",
            Self::ReorderedEffect => "reordered_effect",
            Self::Unanswered => "unanswered",
            Self::Died => "died",
            Self::RewordedEffect => "reworded_effect",
            Self::Unrecorded => "unrecorded",
        }
    }

    /// Returns true if a replay ends with such a finding, because an effect has no answer.
    pub const fn ends_replay(self) -> bool {
        matches!(self, Self::Unanswered | Self::Unrecorded)
    }
}

/// Side of a difference, safe to print.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum ReportedValue {
    /// No value.
    Absent,
    /// A value.
    Value(Value),
    /// Text, if there is no value.
    Text(String),
    /// A masked secret.
    Secret,
}

impl ReportedValue {
    /// Creates a side from text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for ReportedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("nothing"),
            Self::Value(value) => fmt::Display::fmt(value, f),
            Self::Text(text) => f.write_str(text),
            Self::Secret => f.write_str("●●●● (secret)"),
        }
    }
}

impl Serialize for ReportedValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_unit(),
            Self::Value(value) => {
                RecordedJson::Value(Recorded::Plain { value: value.clone(), summary: None })
                    .serialize(serializer)
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::Secret => RecordedJson::Masked.serialize(serializer),
        }
    }
}

/// A location in the source.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SourceLocation {
    /// File, as the compiler saw it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Serialize for SourceLocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An edit that took effect.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize)]
pub struct AppliedEdit {
    /// Target of the edit: `Todo.title`, `request header accept`.
    pub target: String,
    /// First step that saw the edit; empty for the request.
    pub step: String,
    /// Value before the edit.
    pub from: ReportedValue,
    /// Value after the edit.
    pub to: ReportedValue,
}

/// Response of today's code.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReplayedResponse {
    /// Status code.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// Body, if it is text and not streamed.
    pub body: Option<String>,
    /// Length of the body, in bytes. 0 if it is streamed.
    pub body_bytes: u64,
    /// The stream that would make the body: its kind and its arguments. A replay does not make it.
    pub stream: Option<String>,
}
