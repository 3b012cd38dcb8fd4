//! The result that a test plans for one effect, and the call that it belongs to.

use std::fmt;

use zerver_engine::{Call, CallResult};
use zerver_trace::Value;

use super::json_comparison::matches;
use super::recorded_json::to_json;

/// A planned result, used once.
pub(super) struct PlannedAnswer {
    pub(super) call: ExpectedCall,
    pub(super) result: PlannedResult,
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
    /// Converts the planned result to the result of this call.
    ///
    /// # Panics
    /// If the value is not an output of the call's kind.
    pub(super) fn into_performed(self, call: &Call) -> CallResult {
        match self {
            Self::Performed(performed) => performed,
            Self::Value(value) => match call.decode_output(&value) {
                Ok(output) => Ok(output),
                Err(error) => panic!("{value} is not an output of {call:?}: {error}"),
            },
        }
    }
}
