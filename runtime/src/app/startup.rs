//! The hook that opens what a service needs to perform effects. It runs when the service serves, and at no other time.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::pin::Pin;

use tokio::runtime::Runtime;
use zerver_engine::EffectKind;

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
}

impl fmt::Debug for Startup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Startup").field("interpreters", &self.interpreters).finish_non_exhaustive()
    }
}

impl Startup {
    pub(crate) const fn new(interpreters: Interpreters) -> Self {
        Self { interpreters, kept: Vec::new() }
    }

    /// Runs a hook, on this runtime if it is asynchronous.
    pub(crate) fn open(
        interpreters: Interpreters,
        prepare: Option<StartupHook>,
        runtime: &Runtime,
    ) -> Result<Self, BoxError> {
        let mut startup = Self::new(interpreters);
        match prepare {
            Some(StartupHook::Sync(prepare)) => prepare(&mut startup)?,
            Some(StartupHook::Async(open)) => runtime.block_on(open(&mut startup))?,
            None => {}
        }
        Ok(startup)
    }

    /// Sets the interpreter of a kind of effect. It replaces the previous interpreter of the kind.
    pub fn interpreter<K: EffectKind>(&mut self, interpreter: impl Interpreter<K>) {
        self.interpreters.set::<K>(interpreter);
    }

    /// Keeps a value until the service has stopped.
    pub fn keep(&mut self, value: impl Any + Send) {
        self.kept.push(Box::new(value));
    }
}
