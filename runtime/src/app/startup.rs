//! What is opened when a service really serves, and at no other time.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::pin::Pin;

use tokio::runtime::Runtime;
use zerver_engine::EffectKind;

use crate::effects::interpreter::{Interpreter, Interpreters};

/// Why a service could not be made ready.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What opens it all.
pub(crate) enum StartupHook {
    /// Before the service starts.
    Sync(SyncHook),
    /// While it starts: requests are told to come again.
    Async(AsyncHook),
}

pub(crate) type SyncHook = Box<dyn FnOnce(&mut Startup) -> Result<(), BoxError> + Send>;

pub(crate) type AsyncHook = Box<dyn for<'l> FnOnce(&'l mut Startup) -> AsyncHookFuture<'l> + Send>;

type AsyncHookFuture<'l> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + 'l>>;

/// What outlives the threads of a service.
pub(crate) type KeptValues = Vec<Box<dyn Any + Send>>;

/// What performs effects while a service serves; see [`App::on_startup`](crate::App::on_startup).
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

    /// Opens it all; what that has to wait for is waited for on this runtime.
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

    /// Says what performs a kind of effect. The one there was for this kind is replaced.
    pub fn interpreter<K: EffectKind>(&mut self, interpreter: impl Interpreter<K>) {
        self.interpreters.set::<K>(interpreter);
    }

    /// Keeps something until the service has stopped.
    pub fn keep(&mut self, what: impl Any + Send) {
        self.kept.push(Box::new(what));
    }
}
