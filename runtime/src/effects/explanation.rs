//! Explanations: how a target would perform a call, such as the plan of a database for a statement.

use zerver_engine::{EffectError, EffectErrorKind, EffectKind};
use zerver_trace::Value;

use super::interpreter::{BoxFuture, Interpreters};

/// A request to explain a recorded call.
#[derive(Debug)]
pub struct Explain<'c, K: EffectKind> {
    /// Arguments of the call.
    pub args: &'c K,
    /// Output of the call, if it was recorded.
    pub output: Option<&'c K::Output>,
    /// True if the call may be performed to measure it. It must then be one that changes nothing.
    pub analyze: bool,
}

/// Explanation of a part of a call, such as one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The part of the call: a statement.
    pub subject: String,
    /// Explanation for a reader, in lines that are indented by two blanks per level.
    pub lines: Vec<String>,
    /// Explanation as the target gave it, as JSON.
    pub json: String,
}

/// Explanations of all parts of a call.
pub type ExplainResult = Result<Vec<Explanation>, EffectError>;

impl Interpreters {
    /// Explains a call of this kind with these recorded arguments, and its output if there is one.
    #[cfg_attr(
        not(feature = "replay"),
        expect(dead_code, reason = "only the host of replays explains calls")
    )]
    pub(crate) fn explain(
        &self,
        kind: &str,
        args: &Value,
        output: Option<&Value>,
        analyze: bool,
    ) -> Result<BoxFuture<ExplainResult>, EffectError> {
        let interpreter = self.get(kind).ok_or_else(|| {
            let message = format!("this program has no interpreter for effects of kind {kind}");
            EffectError::new(EffectErrorKind::NoInterpreter, message)
        })?;
        interpreter.explain(args, output, analyze)?.ok_or_else(|| {
            let message = format!("the interpreter for effects of kind {kind} cannot explain calls");
            EffectError::new(EffectErrorKind::Invalid, message)
        })
    }
}

/// Converts a recorded value into the type of today's program.
pub(super) fn typed<T: serde::de::DeserializeOwned>(value: &Value, what: &str) -> Result<T, EffectError> {
    value.to_typed().map_err(|error| {
        let message = format!("the recorded {what} do not fit this program: {error}");
        EffectError::new(EffectErrorKind::Invalid, message)
    })
}
