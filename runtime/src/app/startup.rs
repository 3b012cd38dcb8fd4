//! The hook that opens what a service needs to perform effects. It runs when the service serves, and at no other time.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use zerver_engine::{Chaos, ChaosRule, EffectKind};

use crate::StartError;
use crate::effects::Resources;
use crate::effects::effect_function::Binding;
use crate::effects::interpreter::{Interpreter, Interpreters};

/// An error of any type, as a startup hook returns it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The hook of an app.
pub(crate) enum StartupHook {
    /// Runs before the service starts.
    Sync(SyncHook),
    /// Runs while the service starts. Requests are answered with 503 meanwhile.
    Async(AsyncHook),
}

pub(crate) type SyncHook = Box<dyn FnOnce(&mut Startup) -> Result<(), BoxError> + Send>;

pub(crate) type AsyncHook = Box<dyn for<'l> FnOnce(&'l mut Startup) -> AsyncHookFuture<'l> + Send>;

type AsyncHookFuture<'l> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + 'l>>;

/// Values that are dropped after the threads of the service have ended.
pub(crate) type KeptValues = Vec<Box<dyn Any + Send>>;

/// Collects what a startup hook opens. See [`App::on_startup`](crate::App::on_startup).
pub struct Startup {
    pub(crate) interpreters: Interpreters,
    pub(crate) kept: KeptValues,
    functions: Vec<Binding>,
    resources: Resources,
    /// Faults to inject into effects.
    chaos: Option<Arc<Chaos>>,
}

impl fmt::Debug for Startup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Startup").field("interpreters", &self.interpreters).finish_non_exhaustive()
    }
}

impl Startup {
    pub(crate) const fn new(
        interpreters: Interpreters,
        functions: Vec<Binding>,
        resources: Resources,
    ) -> Self {
        Self { interpreters, kept: Vec::new(), functions, resources, chaos: None }
    }

    /// Has faults injected into all effects of requests.
    pub(crate) fn with_chaos(self, chaos: Option<Chaos>) -> Self {
        Self { chaos: chaos.map(Arc::new), ..self }
    }

    /// Turns chaos on, once the kinds of effects are known. It does not affect the startup hook.
    ///
    /// # Errors
    /// If a rule is for a kind of effect that does not exist.
    pub(crate) fn start_chaos(&mut self) -> Result<(), StartError> {
        let kinds: Vec<_> = self.interpreters.kinds().collect();
        let is_unknown = |rule: &&ChaosRule| rule.kind().is_some_and(|kind| !kinds.contains(&kind));
        if let Some(rule) =
            self.chaos.iter().flat_map(|chaos| chaos.rules()).map(|(rule, _)| rule).find(is_unknown)
        {
            let (rule, kinds) = (rule.to_string(), kinds.join(", "));
            return Err(StartError::UnknownChaosKind { rule, kinds });
        }
        self.interpreters.set_chaos(self.chaos.clone());
        Ok(())
    }

    /// Runs a hook, on this runtime if it is asynchronous.
    #[cfg(feature = "replay")]
    pub(crate) fn open(
        mut self,
        prepare: Option<StartupHook>,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<Self, BoxError> {
        let startup = &mut self;
        match prepare {
            Some(StartupHook::Sync(prepare)) => prepare(startup)?,
            Some(StartupHook::Async(open)) => runtime.block_on(open(startup))?,
            None => {}
        }
        self.bind_functions()?;
        Ok(self)
    }

    /// Sets the interpreter of a kind of effect. It replaces the previous interpreter of the kind.
    pub fn interpreter<K: EffectKind>(&mut self, interpreter: impl Interpreter<K>) {
        self.interpreters.set::<K>(interpreter);
    }

    /// Provides a value that effects take as `#[resource]`, such as a pool. There is one of each type.
    pub fn resource<T: Send + Sync + 'static>(&mut self, value: T) {
        self.resources.set(value);
    }

    /// Registers the effect functions, once all resources are there.
    pub(crate) fn bind_functions(&mut self) -> Result<(), StartError> {
        for function in &self.functions {
            function.apply(&self.resources, &mut self.interpreters)?;
        }
        Ok(())
    }

    /// Keeps a value until the service has stopped.
    pub fn keep(&mut self, value: impl Any + Send) {
        self.kept.push(Box::new(value));
    }
}
