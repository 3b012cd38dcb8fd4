//! Kinds of effects: the interface that each of them implements, such as HTTP requests and key-value operations.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zerver_trace::value::Encoder;
use zerver_trace::{Value, ValueError};

/// A kind of effect: a value that describes I/O, and the type of its output. An interpreter performs it.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use zerver_engine::{EffectKind, effect};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendMail { to: String }
///
/// impl EffectKind for SendMail {
///     const KIND: &'static str = "mail";
///     type Output = u64;
///     fn summary(&self) -> String { format!("to {}", self.to) }
/// }
///
/// let number = effect(SendMail { to: "a@example.com".into() }).map(|number| number + 1);
/// assert_eq!(format!("{number:?}"), "Effect(mail to a@example.com)");
/// ```
pub trait EffectKind: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name of the kind, such as `http`: one word, unique in a program.
    const KIND: &'static str;

    /// Output of a successful call.
    type Output: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// Returns the arguments on one line, without the name of the kind: `GET example.com/verify`.
    fn summary(&self) -> String {
        Value::from_serialize(self).map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    /// Returns an output on one line: `200`, `found`.
    fn output_summary(output: &Self::Output) -> String {
        Value::from_serialize(output).map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    /// Encodes an output to be recorded. It must write the same as the output's `Serialize`; a kind overrides it if it
    /// can do so faster.
    ///
    /// # Errors
    /// If the output's `Serialize` fails, or the value is nested too deeply or too long.
    fn encode_output(output: &Self::Output, out: &mut Encoder) -> Result<(), ValueError> {
        out.put(output)
    }

    /// Returns the target of the call, such as `idp.example.com:443`. A service can limit the number of calls of a kind
    /// that are in flight to the same target. The default, `None`, is right if there is no target to protect, as for a
    /// timer or an in-memory store.
    fn target(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Returns true if performing the call several times has the same result as performing it once. Only then
    /// [`Effect::retry`](crate::Effect::retry) retries it by default.
    fn is_idempotent(&self) -> bool {
        false
    }

    /// Returns the part of the arguments that identifies the call to a replay, if that is not all of them. For a
    /// database this could be the name and the parameters of a statement, without its text. A call that differs from a
    /// recorded one only in the other arguments gets the recorded answer, and the replay reports that its text changed.
    /// The default, `None`, means all arguments.
    ///
    /// Include everything that may change the answer: `Value::from_serialize(&(&self.name, &self.parameters)).ok()`.
    fn identity(&self) -> Option<Value> {
        None
    }

    /// Returns true if the call changes nothing at its target ("safe" in RFC 9110, section 9.2.1). Only such calls are
    /// performed under `zerver replay --live KIND:reads`.
    fn is_safe(&self) -> bool {
        false
    }

    /// Returns true if this output reports a temporary condition, so that another attempt may succeed.
    fn is_temporary(_output: &Self::Output) -> bool {
        false
    }

    /// Returns true if this output shows that the target does not work, for its circuit breaker. An output that the
    /// caller has caused does not count: `http` counts 502 to 504, and no 4xx.
    fn is_unhealthy(_output: &Self::Output) -> bool {
        false
    }

    /// Returns the time for which the target asks callers to wait, if it does.
    fn retry_after(_output: &Self::Output) -> Option<Duration> {
        None
    }
}
