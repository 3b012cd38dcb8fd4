//! What a replay tells. Everything in it is masked already: it may be printed.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};
use zerver_trace::{Recorded, Value};

use crate::{RecordedJson, Sameness};

/// What came of a replay.
#[derive(Debug, Clone, Default, PartialEq, Encode, Decode)]
pub struct Report {
    /// What of the recorded request could not be rebuilt, and was needed; then nothing else here counts.
    pub missing_inputs: Vec<String>,
    /// How much was derived again.
    pub coverage: Coverage,
    /// Where today's run differs, in the order of the flow.
    pub findings: Vec<Finding>,
    /// The edits that took effect.
    pub applied: Vec<AppliedEdit>,
    /// Recorded values that nothing could be compared with, and why.
    pub not_compared: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// What today's code answered; none if it gave no answer.
    pub response: Option<ReplayedResponse>,
    /// How a run with edits ended, in virtual time; none without edits, or where it came to no end.
    pub edited_outcome: Option<EditedOutcome>,
}

/// How a run ended, and when it would have.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct EditedOutcome {
    /// The word of traces: `done`, `failed`, `panicked`, `timed_out`, `gone`.
    pub outcome: String,
    /// What failed, in words; empty where nothing did.
    pub failure: String,
    /// The sort of failure, such as `timeout`; `flow_deadline` or `default_deadline` where the deadline of the request
    /// passed: that which its flow has, or that of flows which have none. Empty where nothing failed.
    pub failure_kind: String,
    /// The call whose failure it is, where no step made anything of that.
    pub call: Option<u32>,
    /// The step at which it failed; empty where it did not.
    pub step: String,
    /// How long it would have taken, in nanoseconds: steps and effects as recorded, but for the edits.
    pub duration_ns: u64,
    /// How long the recorded request took, in nanoseconds.
    pub recorded_duration_ns: u64,
}

impl Report {
    /// Whether all that was recorded came out again. Where it could not be run, or not everything can be compared, that
    /// is not known.
    pub fn sameness(&self) -> Sameness {
        let is_unrecorded = |finding: &Finding| finding.class == FindingClass::Unrecorded;
        let is_whole = self.missing_inputs.is_empty()
            && self.not_compared.is_empty()
            && !self.findings.iter().any(is_unrecorded);
        Sameness::of(!self.findings.iter().all(is_unrecorded), is_whole)
    }

    /// Whether all that was recorded was compared, and came out again.
    pub fn is_same(&self) -> bool {
        self.sameness() == Sameness::Same
    }

    /// The word for it: `same`, `different` or `incomplete`.
    pub fn verdict(&self) -> &'static str {
        self.sameness().as_str()
    }
}

impl From<Finding> for Report {
    /// A replay of which nothing else is known.
    fn from(finding: Finding) -> Self {
        Self { findings: vec![finding], ..Self::default() }
    }
}

/// How much of a recording was derived again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Coverage {
    /// Decisions that came out as they were recorded.
    pub decisions_reproduced: u32,
    /// Decisions that were recorded.
    pub decisions_recorded: u32,
    /// Effects that were answered from the recording, or by an edit.
    pub effects_replayed: u32,
    /// Effects that were performed for real.
    pub effects_live: u32,
    /// Effects that nothing had an answer to.
    pub effects_unanswered: u32,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize)]
pub struct Finding {
    /// What sort of difference.
    pub class: FindingClass,
    /// The step; empty for what belongs to the request as a whole.
    pub step: String,
    /// What differs: a slot and the path in it, an effect and the path in its arguments, a part of the response.
    pub field: String,
    /// As it was recorded.
    pub expected: ReportedValue,
    /// As it is today.
    pub got: ReportedValue,
    /// Where the step stands.
    pub source: Option<SourceLocation>,
}

/// What sort of difference, and so what to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingClass {
    /// Today's code does something else with the same inputs.
    CodeChanged,
    /// It comes from an edit.
    InputEdited,
    /// Two runs of today's code with the same inputs differ.
    Nondeterminism,
    /// An effect that was recorded is not asked for.
    MissingEffect,
    /// An effect is asked for that was not recorded.
    ExtraEffect,
    /// An effect is asked for at another point.
    ReorderedEffect,
    /// An effect has no answer, and the replay ended there.
    Unanswered,
    /// The program ended, or never came to an end.
    Died,
    /// The text of a call changed, and not what identifies it: it was answered from the recording.
    RewordedEffect,
    /// The recording lacks the answer of an effect, and the replay ended there. That is no difference.
    Unrecorded,
}

impl FindingClass {
    /// The word for it.
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

    /// Returns true if the replay could not continue after the finding, for lack of an answer.
    pub const fn ends_replay(self) -> bool {
        matches!(self, Self::Unanswered | Self::Unrecorded)
    }
}

/// One side of a difference.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum ReportedValue {
    /// There is nothing.
    Absent,
    /// A value.
    Value(Value),
    /// Words, where there is no value.
    Text(String),
    /// A secret.
    Secret,
}

impl ReportedValue {
    /// Words.
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

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SourceLocation {
    /// The file, as the compiler saw it.
    pub file: String,
    /// The line, from 1.
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
    /// What was edited: `Todo.title`, `request header accept`.
    pub target: String,
    /// The step that saw it first; empty for the request.
    pub step: String,
    /// What was there.
    pub from: ReportedValue,
    /// What was put there.
    pub to: ReportedValue,
}

/// The answer of today's code.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReplayedResponse {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body, if it is text.
    pub body: Option<String>,
    /// How long the body is, in bytes.
    pub body_bytes: u64,
}
