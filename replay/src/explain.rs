//! Explanations of recorded calls, which the interpreters of a service give.

use std::fmt;

use bincode::{Decode, Encode};
use zerver_trace::{Answer, Event, MissingReason, Recorded, Value};

use crate::recording::{Recording, Unavailable};
use crate::value::json;

/// A recorded call that is to be explained by the interpreter of its kind.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainCall {
    /// Kind of the effect.
    pub kind: String,
    /// Arguments, with secrets in plain.
    pub args: Value,
    /// Output, if there is one and it was recorded.
    pub output: Option<Value>,
    /// True if the call may be performed to measure it.
    pub analyze: bool,
}

/// Explanation of a part of a call, such as one statement.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CallExplanation {
    /// The part of the call: a statement.
    pub subject: String,
    /// Explanation for a reader.
    pub lines: Vec<String>,
    /// Explanation as the target gave it, as JSON.
    pub json: String,
}

/// Reason why a recorded call cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnexplainableCall {
    /// The trace has no call of this number.
    NoCall,
    /// The arguments contain a secret, and the key that opens it is not here.
    Secret,
    /// The arguments were not recorded.
    NotRecorded(MissingReason),
}

impl fmt::Display for UnexplainableCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCall => f.write_str("the trace has no such call"),
            Self::Secret => f.write_str("a parameter is a secret, which is sealed and cannot be bound"),
            Self::NotRecorded(reason) => {
                write!(f, "its arguments were not recorded: {}", json::why(reason))
            }
        }
    }
}

impl ExplainCall {
    /// Prepares a call of a recording.
    ///
    /// # Errors
    /// If the trace does not have the arguments of such a call.
    pub fn of(recording: &Recording, number: u32, analyze: bool) -> Result<Self, UnexplainableCall> {
        let events = &recording.trace.events;
        let requested = events.iter().find_map(|event| match event {
            Event::EffectRequested { call, kind, args, .. } if *call == number => Some((kind, args)),
            _ => None,
        });
        let (kind, args) = requested.ok_or(UnexplainableCall::NoCall)?;
        let plain = |recorded: &Recorded| recording.secrets.plain(recorded).cloned();
        let args = plain(args).map_err(|unavailable| match unavailable {
            Unavailable::Hash => UnexplainableCall::Secret,
            Unavailable::Missing(reason) => UnexplainableCall::NotRecorded(reason),
        })?;
        let output = events.iter().find_map(|event| match event {
            Event::EffectCompleted { call, answer: Answer::Ok(output), .. } if *call == number => {
                Some(output)
            }
            _ => None,
        });
        Ok(Self {
            kind: kind.to_string(),
            args,
            output: output.and_then(|output| plain(output).ok()),
            analyze,
        })
    }
}
