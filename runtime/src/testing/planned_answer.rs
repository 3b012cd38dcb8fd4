//! The results that a test plans for effects, and the calls that they belong to.

use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::fmt;
use std::time::Duration;

use zerver_engine::{Call, CallResult, RetryVerdict};
use zerver_trace::Value;

use super::json_comparison::matches;
use super::recorded_json::to_json;

/// The results that a test plans, by their position in the plan.
#[derive(Default)]
pub(super) struct Plan {
    answers: BTreeMap<usize, PlannedAnswer>,
    len: usize,
}

/// A planned result, used once.
pub(super) struct PlannedAnswer {
    pub(super) call: ExpectedCall,
    pub(super) result: PlannedResult,
    pub(super) decision: RetryDecision,
}

/// Decision about another attempt of the call.
#[derive(Clone, Copy)]
pub(super) enum RetryDecision {
    /// The effect decides.
    Own,
    /// The policy of the target repeats the call.
    Repeated,
    /// The policy of the target does not repeat the call.
    NotRepeated,
}

/// The call that a planned result belongs to.
pub(super) enum ExpectedCall {
    /// A call with these arguments.
    Call(Call, Value),
    /// A call of this kind with these arguments, as JSON.
    Json(String, serde_json::Value),
}

/// The result of a call.
pub(super) enum PlannedResult {
    Performed(CallResult),
    /// An output of the kind, as a value.
    Value(Value),
    /// None: the call stays in flight until another one has made it superfluous.
    Never,
}

impl RetryDecision {
    pub(super) fn verdict(self, call: &Call) -> RetryVerdict {
        match self {
            Self::Own => RetryVerdict::Own,
            Self::Repeated => RetryVerdict::Again(call.clone(), Duration::ZERO),
            Self::NotRepeated => RetryVerdict::Stop,
        }
    }
}

impl Plan {
    pub(super) fn add(&mut self, call: ExpectedCall, result: PlannedResult) {
        self.answers.insert(self.len, PlannedAnswer { call, result, decision: RetryDecision::Own });
        self.len += 1;
    }

    /// Returns the result that was added last.
    pub(super) fn last(&mut self) -> Option<&mut PlannedAnswer> {
        self.answers.last_entry().map(OccupiedEntry::into_mut)
    }

    /// Takes the first result of this call, with its position.
    pub(super) fn take(&mut self, call: &Call) -> Option<(usize, PlannedAnswer)> {
        if self.answers.is_empty() {
            return None;
        }
        let args = args(call);
        let (at, _) = self.answers.iter().find(|(_, planned)| planned.call.is(call, &args))?;
        let at = *at;
        Some((at, self.answers.remove(&at)?))
    }

    /// Returns the calls that were never made, except those without an answer.
    pub(super) fn unused(&self) -> Vec<&ExpectedCall> {
        let is_due = |planned: &&PlannedAnswer| !matches!(planned.result, PlannedResult::Never);
        self.answers.values().filter(is_due).map(|planned| &planned.call).collect()
    }
}

/// Lists the calls of the plan, one on each line.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unused() {
            calls if calls.is_empty() => f.write_str(" nothing"),
            calls => calls.iter().try_for_each(|call| write!(f, "\n  {call:?}")),
        }
    }
}

/// Returns the arguments of a call as a value.
///
/// # Panics
/// If they cannot be compared.
pub(super) fn args(call: &Call) -> Value {
    match Value::from_recordable(&**call.args_value()) {
        Ok(value) => value,
        Err(error) => panic!("the arguments of {call:?} cannot be compared: {error}"),
    }
}

impl ExpectedCall {
    /// Returns true if `call`, which has these arguments, is the expected one.
    pub(super) fn is(&self, call: &Call, args: &Value) -> bool {
        match self {
            Self::Call(expected, expected_args) => expected.kind() == call.kind() && expected_args == args,
            Self::Json(kind, expected) => kind == call.kind() && matches(expected, &to_json(args)),
        }
    }
}

impl fmt::Debug for ExpectedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call, _) => call.fmt(f),
            Self::Json(kind, args) => write!(f, "{kind} {args}"),
        }
    }
}

impl PlannedResult {
    /// Converts the planned result to the result of this call. `None` if the call never answers.
    ///
    /// # Panics
    /// If the value is not an output of the call's kind.
    pub(super) fn into_performed(self, call: &Call) -> Option<CallResult> {
        match self {
            Self::Performed(performed) => Some(performed),
            Self::Value(value) => match call.decode_output(&value) {
                Ok(output) => Some(Ok(output)),
                Err(error) => panic!("{value} is not an output of {call:?}: {error}"),
            },
            Self::Never => None,
        }
    }
}
