//! Effects that are functions: what `#[effect]` generates code for, and the resources that their calls share.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::sync::Arc;

use zerver_engine::{EffectError, EffectErrorKind, EffectKind};

use super::interpreter::{BoxFuture, EffectContext, EffectResult, Interpreter, Interpreters, Started};
use crate::StartError;

/// A kind of effect that is an async function. `#[effect]` implements it.
pub trait EffectFunction: EffectKind + Sized {
    /// Returns the interpreter, with the resources that the function takes.
    ///
    /// # Errors
    /// A [`MissingResource`] if one of them was not provided.
    fn bind(resources: &Resources) -> Result<FunctionInterpreter<Self>, MissingResource>;
}

/// Values that effects share, one of each type: pools, clients, keys.
#[derive(Clone, Default)]
pub struct Resources(Vec<(TypeId, &'static str, Arc<dyn Any + Send + Sync>)>);

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, name, _)| name)).finish()
    }
}

impl Resources {
    /// Provides a value. It replaces an earlier one of the same type.
    pub(crate) fn set<T: Send + Sync + 'static>(&mut self, value: T) {
        let id = TypeId::of::<T>();
        self.0.retain(|(other, ..)| *other != id);
        self.0.push((id, type_name::<T>(), Arc::new(value)));
    }

    /// Returns the value of a type, for an effect of this kind.
    ///
    /// # Errors
    /// A [`MissingResource`] if there is none.
    pub fn get<T: Send + Sync + 'static>(&self, kind: &'static str) -> Result<Arc<T>, MissingResource> {
        let found = self.0.iter().find(|(id, ..)| *id == TypeId::of::<T>());
        found
            .and_then(|(.., value)| Arc::clone(value).downcast().ok())
            .ok_or(MissingResource { kind, resource: type_name::<T>() })
    }
}

/// An effect takes a resource that the service does not provide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "effect {kind} takes a resource of type {resource}, which this program does not provide; call App::resource, or \
     Startup::resource in the startup hook"
)]
pub struct MissingResource {
    /// Kind of the effect.
    pub kind: &'static str,
    /// Type of the resource.
    pub resource: &'static str,
}

/// Runs a function of `#[effect(blocking)]` on a thread for blocking work. It runs to its end even if the result is no longer
/// needed.
///
/// # Errors
/// If the runtime ends.
#[doc(hidden)]
pub async fn perform_blocking<T: Send + 'static>(
    function: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EffectError> {
    match tokio::task::spawn_blocking(function).await {
        Ok(result) => Ok(result),
        // Reported as that of an async function.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(EffectError::new(EffectErrorKind::Internal, error.to_string())),
    }
}

type Perform<K> = dyn Fn(&K, &EffectContext) -> BoxFuture<EffectResult<K>> + Send + Sync;

/// The interpreter of an async function.
pub struct FunctionInterpreter<K: EffectKind>(Box<Perform<K>>);

impl<K: EffectKind> fmt::Debug for FunctionInterpreter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FunctionInterpreter").field(&K::KIND).finish()
    }
}

impl<K: EffectKind> FunctionInterpreter<K> {
    /// Creates an interpreter from the function that starts a call.
    pub fn new(
        perform: impl Fn(&K, &EffectContext) -> BoxFuture<EffectResult<K>> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(perform))
    }
}

impl<K: EffectKind> Interpreter<K> for FunctionInterpreter<K> {
    fn start(&self, args: &K, context: &EffectContext) -> Started<EffectResult<K>> {
        Started::Pending((self.0)(args, context))
    }
}

/// A function that registers the interpreter of one effect function.
#[derive(Clone, Copy)]
pub(crate) struct Binding {
    kind: &'static str,
    id: TypeId,
    bind: fn(&Resources, &mut Interpreters) -> Result<(), MissingResource>,
}

impl Binding {
    pub(crate) fn of<K: EffectFunction>() -> Self {
        let bind = |resources: &Resources, interpreters: &mut Interpreters| {
            interpreters.set::<K>(K::bind(resources)?);
            Ok(())
        };
        Self { kind: K::KIND, id: TypeId::of::<K>(), bind }
    }

    /// Registers the interpreter, unless the service has another one for this kind.
    pub(crate) fn apply(
        &self,
        resources: &Resources,
        interpreters: &mut Interpreters,
    ) -> Result<(), StartError> {
        match interpreters.type_of(self.kind) {
            None => (self.bind)(resources, interpreters).map_err(StartError::Resource),
            Some(id) if id == self.id => Ok(()),
            Some(_) => Err(StartError::DuplicateEffectKind { kind: self.kind }),
        }
    }
}
