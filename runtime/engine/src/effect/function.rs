//! Effects that are async functions. `#[effect]` generates the kind; this is what the generated code calls.
//!
//! The error of such a function is part of the recorded output, so that a replay returns the same error. If its type
//! can be serialized, the error itself comes back, and a step can match on it; otherwise its text does.

use std::error::Error;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zerver_trace::{EffectError, EffectErrorKind, Value};

use super::call::Call;
use super::composition::Effect;
use super::kind::EffectKind;
use crate::{Failure, FailureKind};

/// Maximum number of causes of an error that are recorded.
const MAX_CAUSES: usize = 16;

/// The error of a function, as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionError {
    /// The error in words.
    pub message: String,
    /// The errors that caused it, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// True if another attempt may succeed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_temporary: bool,
    /// The error itself, if its type can be serialized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

impl FunctionError {
    fn from_text(error: &(impl fmt::Display + ?Sized)) -> Self {
        Self { message: error.to_string(), causes: Vec::new(), is_temporary: false, error: None }
    }

    fn from_error(error: &dyn Error) -> Self {
        let causes = std::iter::successors(error.source(), |&error| error.source());
        Self { causes: causes.map(ToString::to_string).take(MAX_CAUSES).collect(), ..Self::from_text(error) }
    }

    fn failure(&self, kind: &'static str) -> Failure {
        Failure::new(FailureKind::Internal, kind).because(self)
    }
}

/// Formats as the message and the causes: `the card was declined: insufficient funds`.
impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes
            .iter()
            .filter(|cause| !self.message.contains(*cause))
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl Error for FunctionError {}

/// The parts of a `Result`, also of an alias such as `io::Result<T>`.
pub trait ResultParts {
    /// Type of the value.
    type Ok;
    /// Type of the error.
    type Err;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;
}

/// Result of a function: a value, an error that it returned, or the failure of the effect itself.
pub type FunctionOutcome<T> = Result<Result<T, FunctionError>, EffectError>;

/// Picks the best way to record an error. The generated code calls `record` on `&mut ErrorProbe`, and the compiler finds
/// the first method that fits: an [`EffectError`] stays what it is, an error that can be serialized is kept as a value,
/// and of any other its text is kept.
#[derive(Debug)]
pub struct ErrorProbe<E>(pub E);

impl ErrorProbe<EffectError> {
    /// Passes the error on.
    ///
    /// # Errors
    /// Always.
    pub fn record(self) -> Result<FunctionError, EffectError> {
        Err(self.0)
    }
}

/// Records an error with its value.
pub trait RecordValue {
    /// Returns the recorded form.
    ///
    /// # Errors
    /// Never.
    fn record(self) -> Result<FunctionError, EffectError>;
}

impl<E: Error + Serialize> RecordValue for ErrorProbe<E> {
    fn record(self) -> Result<FunctionError, EffectError> {
        let error = Value::from_serialize(&self.0).ok();
        Ok(FunctionError { error, ..FunctionError::from_error(&self.0) })
    }
}

/// Records an error as text, with its causes.
pub trait RecordCauses {
    /// Returns the recorded form.
    ///
    /// # Errors
    /// Never.
    fn record(self) -> Result<FunctionError, EffectError>;
}

impl<E: Error> RecordCauses for &ErrorProbe<E> {
    fn record(self) -> Result<FunctionError, EffectError> {
        Ok(FunctionError::from_error(&self.0))
    }
}

/// Records anything that can be displayed, such as a `String`.
pub trait RecordText {
    /// Returns the recorded form.
    ///
    /// # Errors
    /// Never.
    fn record(self) -> Result<FunctionError, EffectError>;
}

impl<E: fmt::Display> RecordText for &mut ErrorProbe<E> {
    fn record(self) -> Result<FunctionError, EffectError> {
        Ok(FunctionError::from_text(&self.0))
    }
}

/// Picks the best way to turn a recorded error into a failure, as [`ErrorProbe`] does for the way there.
#[derive(Debug)]
pub struct FailureProbe<E>(std::marker::PhantomData<fn() -> E>);

impl<E> FailureProbe<E> {
    /// Creates a probe.
    #[expect(clippy::new_without_default, reason = "only generated code calls this")]
    pub const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

fn decoded<E: DeserializeOwned>(error: &FunctionError) -> Option<E> {
    error.error.as_ref()?.to_typed().ok()
}

/// Makes the failure that the error type defines with `impl From<E> for Failure`.
pub trait ConvertError {
    /// Returns the failure.
    fn failure(self, kind: &'static str, error: &FunctionError) -> Failure;
}

impl<E> ConvertError for FailureProbe<E>
where
    E: Into<Failure> + Error + DeserializeOwned + Send + Sync + 'static,
{
    fn failure(self, kind: &'static str, error: &FunctionError) -> Failure {
        match (decoded::<E>(error), decoded::<E>(error)) {
            (Some(source), Some(value)) => Into::<Failure>::into(value).with_error(source).or_because(error),
            _ => error.failure(kind),
        }
    }
}

/// Makes an internal failure that carries the error.
pub trait KeepError {
    /// Returns the failure.
    fn failure(self, kind: &'static str, error: &FunctionError) -> Failure;
}

impl<E: Error + DeserializeOwned + Send + Sync + 'static> KeepError for &FailureProbe<E> {
    fn failure(self, kind: &'static str, error: &FunctionError) -> Failure {
        let failure = error.failure(kind);
        match decoded::<E>(error) {
            Some(value) => failure.with_error(value),
            None => failure,
        }
    }
}

/// Makes an internal failure with the text of the error.
pub trait KeepText {
    /// Returns the failure.
    fn failure(self, kind: &'static str, error: &FunctionError) -> Failure;
}

impl<E> KeepText for &mut FailureProbe<E> {
    fn failure(self, kind: &'static str, error: &FunctionError) -> Failure {
        error.failure(kind)
    }
}

/// Creates the effect of a function that returns a `Result`. `failure` converts its error.
pub fn function_effect<K, T>(
    kind: K,
    failure: impl Fn(&FunctionError) -> Failure + Send + 'static,
) -> Effect<T>
where
    K: EffectKind<Output = Result<T, FunctionError>>,
    T: Clone + Send + 'static,
{
    Effect::from_call::<K>(Call::new(kind), move |output| match output {
        Ok(Ok(value)) => Ok(value.clone()),
        Ok(Err(error)) => Err(failure(error)),
        Err(error) => Err(Failure::from_effect(K::KIND, &error)),
    })
}

/// Returns the error of a stream, which only the trace shows.
pub fn stream_error(error: FunctionError) -> EffectError {
    EffectError::new(EffectErrorKind::Internal, error.to_string())
}

/// Returns an output of a function on one line.
pub fn function_summary<T: Serialize>(output: &Result<T, FunctionError>) -> String {
    match output {
        Ok(value) => {
            Value::from_serialize(value).map_or_else(|error| error.to_string(), |value| value.to_string())
        }
        Err(error) => format!("error: {error}"),
    }
}
