//! Priority classes of requests.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Priority class of a request.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A person is waiting for the response.
    Interactive,
    /// No class was chosen.
    #[default]
    Default,
    /// No person is waiting; throughput matters.
    Batch,
}

impl Class {
    /// Returns the word used in traces and on the command line.
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
            _ => Err(format!("no class {text:?}; classes are interactive, default and batch")),
        }
    }
}
