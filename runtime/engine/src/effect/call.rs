//! One effect to perform, with its types forgotten.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zerver_trace::value::Encoder;
use zerver_trace::{EffectError, EffectErrorKind, Recordable, SharedValue, Value, ValueError};

use crate::EffectKind;

/// One effect to perform.
#[derive(Clone)]
pub struct Call {
    kind: &'static Kind,
    args: SharedValue,
    timeout: Option<Duration>,
}

/// What is known of a kind of effect.
struct Kind {
    name: &'static str,
    decode: fn(&Value) -> Result<SharedValue, ValueError>,
    target: fn(&Call) -> Option<Cow<'_, str>>,
    is_idempotent: fn(&Call) -> bool,
    is_safe: fn(&Call) -> bool,
    identity: fn(&Call) -> Option<Value>,
    identity_of: fn(&Value) -> Option<Value>,
}

impl Call {
    /// A call without a time limit of its own.
    pub fn new<K: EffectKind>(kind: K) -> Self {
        Self { kind: Args::<K>::KIND, args: Arc::new(Args(kind)), timeout: None }
    }

    /// The same with a time limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same with this time limit, where it has none that is shorter.
    pub(super) fn within(self, limit: Option<Duration>) -> Self {
        let timeout = match (self.timeout, limit) {
            (Some(own), Some(limit)) => Some(own.min(limit)),
            (own, limit) => own.or(limit),
        };
        Self { timeout, ..self }
    }

    /// The name of the kind.
    pub const fn kind(&self) -> &'static str {
        self.kind.name
    }

    /// Whom it asks; see [`EffectKind::target`].
    pub fn target(&self) -> Option<Cow<'_, str>> {
        (self.kind.target)(self)
    }

    /// Whether to do it several times is the same as to do it once; see [`EffectKind::is_idempotent`].
    pub fn is_idempotent(&self) -> bool {
        (self.kind.is_idempotent)(self)
    }

    /// Whether it changes nothing at the other end; see [`EffectKind::is_safe`].
    pub fn is_safe(&self) -> bool {
        (self.kind.is_safe)(self)
    }

    /// What identifies it where that is less than all of its arguments; see [`EffectKind::identity`].
    pub fn identity(&self) -> Option<Value> {
        (self.kind.identity)(self)
    }

    /// The same of a call of this kind with other, recorded arguments; none also if they are no arguments of it.
    pub fn identity_of(&self, args: &Value) -> Option<Value> {
        (self.kind.identity_of)(args)
    }

    /// The arguments, to be recorded.
    pub const fn data(&self) -> &SharedValue {
        &self.args
    }

    /// The arguments as the type that described them; none if it is another kind.
    pub fn args<K: EffectKind>(&self) -> Option<&K> {
        let any: &dyn Any = &*self.args;
        any.downcast_ref::<Args<K>>().map(|args| &args.0)
    }

    /// How long it may take; none means as long as the request.
    pub const fn time_limit(&self) -> Option<Duration> {
        self.timeout
    }

    /// An output from a recording, or from a script.
    ///
    /// # Errors
    /// `malformed` if the value is no output of this kind.
    pub fn decode(&self, value: &Value) -> Performed {
        (self.kind.decode)(value).map_err(|error| {
            EffectError::new(EffectErrorKind::Malformed, format!("not an output of {}: {error}", self.kind()))
        })
    }

    /// The output of an interpreter.
    pub fn output<K: EffectKind>(output: K::Output) -> SharedValue {
        Arc::new(Output::<K>(output))
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.args.summary().unwrap_or_default())
    }
}

/// How a call ended: with an output made by [`Call::output`] or [`Call::decode`], or with an error.
pub type Performed = Result<SharedValue, EffectError>;

/// The arguments of a call, as data.
struct Args<K>(K);

impl<K: EffectKind> Args<K> {
    const KIND: &'static Kind = &Kind {
        name: K::KIND,
        decode: |value| Ok(Arc::new(Output::<K>(value.to_typed()?))),
        target: |call| call.args::<K>()?.target(),
        is_idempotent: |call| call.args::<K>().is_some_and(K::is_idempotent),
        is_safe: |call| call.args::<K>().is_some_and(K::is_safe),
        identity: |call| call.args::<K>()?.identity(),
        identity_of: |args| args.to_typed::<K>().ok()?.identity(),
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

/// The output of a call, as data.
struct Output<K: EffectKind>(K::Output);

impl<K: EffectKind> Recordable for Output<K> {
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError> {
        K::record(&self.0, out)
    }

    fn summary(&self) -> Option<String> {
        Some(K::outcome(&self.0))
    }
}

pub(super) fn output<K: EffectKind>(datum: &SharedValue) -> Result<&K::Output, EffectError> {
    let any: &dyn Any = &**datum;
    any.downcast_ref::<Output<K>>().map(|output| &output.0).ok_or_else(|| {
        EffectError::new(EffectErrorKind::Internal, format!("the output of another effect than {}", K::KIND))
    })
}
