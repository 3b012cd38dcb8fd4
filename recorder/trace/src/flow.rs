//! What a flow is made of, as far as a trace needs to know: it travels with every trace, so that a trace can be read
//! without the program that recorded it.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The priority class of a request.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Somebody waits for the answer.
    Interactive,
    /// Nothing was said.
    #[default]
    Default,
    /// Nobody waits; throughput matters.
    Batch,
}

impl Class {
    /// The word used in traces and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Default => "default",
            Self::Batch => "batch",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Class {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "interactive" => Ok(Self::Interactive),
            "default" => Ok(Self::Default),
            "batch" => Ok(Self::Batch),
            _ => Err(format!("no class {text:?}; there are interactive, default and batch")),
        }
    }
}

/// A flow: its route and its steps in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct FlowInfo {
    /// The slug, such as `todos-item`. Empty for a request which no flow took.
    pub name: String,
    /// The HTTP method of its route.
    pub method: String,
    /// The URL pattern of its route, such as `/v1/todos/{id}`.
    pub pattern: String,
    /// The class its requests get when no rule says otherwise.
    pub class: Class,
    /// The slots its steps name; events refer to them by position.
    pub slots: Vec<SlotInfo>,
    /// Its steps in order; events refer to them by position.
    pub steps: Vec<StepInfo>,
}

/// A slot of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct SlotInfo {
    /// The name of its type, such as `Todo`.
    pub name: String,
    /// The whole path of its type, such as `todos::model::Todo`.
    pub path: String,
    /// Whether its values are sealed in the store and masked on screen.
    #[serde(rename = "secret")]
    pub is_secret: bool,
}

/// A step of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct StepInfo {
    /// The name of its function.
    pub name: String,
    /// Its documentation comment.
    pub doc: String,
    /// The source file, as the compiler saw it.
    pub file: String,
    /// The line of the function in that file, from 1.
    pub line: u32,
    /// What it reads: its parameters.
    pub reads: Vec<ReadInfo>,
    /// What it writes: its return type.
    pub writes: Vec<WriteInfo>,
}

/// A slot that a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct ReadInfo {
    /// Position in [`FlowInfo::slots`].
    pub slot: u16,
    /// Whether the step also runs without it.
    #[serde(rename = "optional")]
    pub is_optional: bool,
}

/// A slot that a step writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct WriteInfo {
    /// Position in [`FlowInfo::slots`].
    pub slot: u16,
    /// Whether the step may leave it unwritten.
    #[serde(rename = "optional")]
    pub is_optional: bool,
}
