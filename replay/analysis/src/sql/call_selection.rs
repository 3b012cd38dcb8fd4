//! Selection of one SQL call of a trace, by its number or a part of its statement.

use std::fmt;

use zerver_trace::Node;

use super::KIND;
use super::statement_key::normalized;
use crate::{Effect, Timeline};

/// Maximum number of calls that an error lists.
const MAX_LISTED: usize = 10;

/// An SQL call of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlCall {
    /// Number of the call in the trace.
    pub call: u32,
    /// Its name, or its statement on one line.
    pub summary: String,
    /// Texts of its statements on one line each; empty if they were not recorded.
    pub statements: Vec<String>,
    /// Time that the call took, in nanoseconds.
    pub duration_ns: u64,
}

/// Reason why no SQL call was selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSqlCall {
    /// The trace has none.
    NoneRecorded,
    /// The call of this number is of another kind.
    OtherKind {
        /// Number of the call.
        call: u32,
        /// Kind and summary.
        label: String,
    },
    /// No SQL call has this number or contains this text.
    NotFound {
        /// The number or the text.
        wanted: String,
        /// The SQL calls of the trace.
        calls: Vec<SqlCall>,
    },
}

impl fmt::Display for NoSqlCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneRecorded => f.write_str("the request made no SQL call"),
            Self::OtherKind { call, label } => write!(f, "call {call} is not an SQL call but {label}"),
            Self::NotFound { wanted, calls } => {
                write!(f, "no SQL call has the number or contains the text {wanted:?}; there are: ")?;
                for (at, SqlCall { call, summary, .. }) in calls.iter().take(MAX_LISTED).enumerate() {
                    write!(f, "{}{call} {summary}", if at > 0 { ", " } else { "" })?;
                }
                if calls.len() > MAX_LISTED {
                    write!(f, ", and {} more", calls.len() - MAX_LISTED)
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl Timeline {
    /// Returns the SQL calls in order, each with its effect.
    pub fn sql_calls(&self) -> impl Iterator<Item = (&Effect, SqlCall)> {
        let effects = self.runs.iter().flat_map(|run| &run.effects).filter(|effect| effect.kind == KIND);
        effects.flat_map(|effect| SqlCall::of(effect).into_iter().map(move |call| (effect, call)))
    }

    /// Returns the slowest SQL call, of those that `wanted` selects: the call of a number, or all calls whose name or
    /// statement contains a text, in any case. The number of selected calls comes with it.
    ///
    /// # Errors
    /// If there is no such call.
    pub fn sql_call(&self, wanted: Option<&str>) -> Result<(SqlCall, usize), NoSqlCall> {
        let effects = || self.runs.iter().flat_map(|run| &run.effects);
        let all: Vec<_> = self.sql_calls().map(|(_, call)| call).collect();
        if all.is_empty() && wanted.is_none() {
            return Err(NoSqlCall::NoneRecorded);
        }
        let number = wanted.and_then(|wanted| wanted.parse::<u32>().ok());
        let text = wanted.map(str::to_lowercase);
        let is_wanted = |call: &SqlCall| match (number, &text) {
            (Some(number), _) => call.call == number,
            (None, Some(text)) => call.contains(text),
            (None, None) => true,
        };
        let selected: Vec<_> = all.iter().filter(|call| is_wanted(call)).collect();
        // Of equally slow calls, the first.
        match selected.iter().rev().max_by_key(|call| call.duration_ns) {
            Some(slowest) => Ok(((*slowest).clone(), selected.len())),
            None => {
                let has_number =
                    |effect: &&Effect| effect.attempts.iter().any(|attempt| Some(attempt.call) == number);
                Err(match (number, effects().find(has_number)) {
                    (Some(call), Some(other)) => NoSqlCall::OtherKind { call, label: other.label() },
                    _ if all.is_empty() => NoSqlCall::NoneRecorded,
                    _ => NoSqlCall::NotFound { wanted: wanted.unwrap_or_default().to_owned(), calls: all },
                })
            }
        }
    }
}

impl SqlCall {
    /// Returns the calls of an effect: its attempts.
    fn of(effect: &Effect) -> Vec<Self> {
        let statements = statements(effect);
        let call = |attempt: &crate::Attempt| Self {
            call: attempt.call,
            summary: effect.summary.clone(),
            statements: statements.clone(),
            duration_ns: attempt.duration_ns,
        };
        effect.attempts.iter().map(call).collect()
    }

    fn contains(&self, text: &str) -> bool {
        let texts = std::iter::once(&self.summary).chain(&self.statements);
        texts.into_iter().any(|known| known.to_lowercase().contains(text))
    }
}

/// Returns the texts of the statements of an effect, as far as they were recorded.
fn statements(effect: &Effect) -> Vec<String> {
    let Some(args) = effect.args.value() else { return Vec::new() };
    let root = args.root();
    let Some(Node::Seq(statements)) = root.field("statements") else { return Vec::new() };
    let text = |statement: &Node<'_>| match statement.field("text") {
        Some(Node::Str(text)) => Some(normalized(text)),
        _ => None,
    };
    statements.iter().filter_map(text).collect()
}
