//! Calls: single effects without their type parameters.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zerver_trace::value::Encoder;
use zerver_trace::{EffectError, EffectErrorKind, Recordable, SharedValue, Value, ValueError};

use super::kind::EffectKind;

/// A call to perform: a kind of effect with its arguments.
#[derive(Clone)]
pub struct Call {
    kind: &'static KindTable,
    args: SharedValue,
    timeout: Option<Duration>,
}

/// Functions of one [`EffectKind`].
struct KindTable {
    name: &'static str,
    decode: fn(&Value) -> Result<SharedValue, ValueError>,
    target: fn(&Call) -> Option<Cow<'_, str>>,
    is_idempotent: fn(&Call) -> bool,
    is_safe: fn(&Call) -> bool,
    identity: fn(&Call) -> Option<Value>,
    identity_of: fn(&Value) -> Option<Value>,
    assess: fn(&SharedValue) -> Assessment,
}

/// Assessment of an output and of the target that gave it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Assessment {
    /// [`EffectKind::is_temporary`], or an error that may be temporary.
    pub is_temporary: bool,
    /// [`EffectKind::is_unhealthy`], or an error that shows that the target does not work.
    pub is_unhealthy: bool,
    /// [`EffectKind::retry_after`].
    pub retry_after: Option<Duration>,
}

/// Assesses the results of calls of one kind.
#[derive(Clone, Copy)]
pub struct Assessor(&'static KindTable);

impl Assessor {
    /// Returns what a result says about its target. Only timeouts and unreachable targets count among the errors
    /// that blame it.
    pub fn assess(self, result: &CallResult) -> Assessment {
        match result {
            Ok(output) => (self.0.assess)(output),
            Err(error) => {
                let is_unhealthy =
                    matches!(error.kind, EffectErrorKind::Timeout | EffectErrorKind::Unreachable);
                Assessment { is_temporary: error.kind.may_be_temporary(), is_unhealthy, retry_after: None }
            }
        }
    }
}

impl fmt::Debug for Assessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Assessor").field(&self.0.name).finish()
    }
}

impl Call {
    /// Creates a call without a time limit.
    pub fn new<K: EffectKind>(kind: K) -> Self {
        Self { kind: Args::<K>::TABLE, args: Arc::new(Args(kind)), timeout: None }
    }

    /// Sets its time limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets its time limit unless it already has a shorter one.
    pub(super) fn within(self, limit: Option<Duration>) -> Self {
        let timeout = match (self.timeout, limit) {
            (Some(own), Some(limit)) => Some(own.min(limit)),
            (own, limit) => own.or(limit),
        };
        Self { timeout, ..self }
    }

    /// Returns the name of the kind.
    pub const fn kind(&self) -> &'static str {
        self.kind.name
    }

    /// Returns [`EffectKind::target`].
    pub fn target(&self) -> Option<Cow<'_, str>> {
        (self.kind.target)(self)
    }

    /// Returns [`EffectKind::is_idempotent`].
    pub fn is_idempotent(&self) -> bool {
        (self.kind.is_idempotent)(self)
    }

    /// Returns [`EffectKind::is_safe`].
    pub fn is_safe(&self) -> bool {
        (self.kind.is_safe)(self)
    }

    /// Returns what assesses its results.
    pub const fn assessor(&self) -> Assessor {
        Assessor(self.kind)
    }

    /// Returns [`EffectKind::identity`].
    pub fn identity(&self) -> Option<Value> {
        (self.kind.identity)(self)
    }

    /// Returns [`EffectKind::identity`] of a call of the same kind with recorded arguments. Returns `None` too if they
    /// are not arguments of this kind.
    pub fn identity_of(&self, args: &Value) -> Option<Value> {
        (self.kind.identity_of)(args)
    }

    /// Returns the arguments as a value to be recorded.
    pub const fn args_value(&self) -> &SharedValue {
        &self.args
    }

    /// Returns the arguments, or `None` if the call is of another kind.
    pub fn args<K: EffectKind>(&self) -> Option<&K> {
        let any: &dyn Any = &*self.args;
        any.downcast_ref::<Args<K>>().map(|args| &args.0)
    }

    /// Returns its time limit. Without one, the deadline of the request is the limit.
    pub const fn time_limit(&self) -> Option<Duration> {
        self.timeout
    }

    /// Decodes an output that does not come from an interpreter, but from a recording or a test.
    ///
    /// # Errors
    /// `malformed` if the value is not an output of this kind.
    pub fn decode_output(&self, value: &Value) -> CallResult {
        (self.kind.decode)(value).map_err(|error| {
            EffectError::new(EffectErrorKind::Malformed, format!("not an output of {}: {error}", self.kind()))
        })
    }

    /// Erases the type of an output of an interpreter.
    pub fn output<K: EffectKind>(output: K::Output) -> SharedValue {
        Arc::new(Output::<K>(output))
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.args.summary().unwrap_or_default())
    }
}

/// Result of a call: an output made by [`Call::output`] or [`Call::decode_output`], or an error.
pub type CallResult = Result<SharedValue, EffectError>;

/// Arguments of a call.
struct Args<K>(K);

impl<K: EffectKind> Args<K> {
    const TABLE: &'static KindTable = &KindTable {
        name: K::KIND,
        decode: |value| Ok(Arc::new(Output::<K>(value.to_typed()?))),
        target: |call| call.args::<K>()?.target(),
        is_idempotent: |call| call.args::<K>().is_some_and(K::is_idempotent),
        is_safe: |call| call.args::<K>().is_some_and(K::is_safe),
        identity: |call| call.args::<K>()?.identity(),
        identity_of: |args| args.to_typed::<K>().ok()?.identity(),
        assess: |output| {
            let Ok(output) = typed_output::<K>(output) else { return Assessment::default() };
            Assessment {
                is_temporary: K::is_temporary(output),
                is_unhealthy: K::is_unhealthy(output),
                retry_after: K::retry_after(output),
            }
        },
    };
}

impl<K: EffectKind> Recordable for Args<K> {
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError> {
        out.put(&self.0)
    }

    fn summary(&self) -> Option<String> {
        Some(self.0.summary())
    }
}

/// Output of a call.
struct Output<K: EffectKind>(K::Output);

impl<K: EffectKind> Recordable for Output<K> {
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError> {
        K::encode_output(&self.0, out)
    }

    fn summary(&self) -> Option<String> {
        Some(K::output_summary(&self.0))
    }
}

/// Returns the output of a call of kind `K`.
pub(super) fn typed_output<K: EffectKind>(value: &SharedValue) -> Result<&K::Output, EffectError> {
    let any: &dyn Any = &**value;
    any.downcast_ref::<Output<K>>().map(|output| &output.0).ok_or_else(|| {
        EffectError::new(EffectErrorKind::Internal, format!("the output is not one of kind {}", K::KIND))
    })
}
