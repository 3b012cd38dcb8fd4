//! What is opened when a service really serves, and at no other time.

use std::any::Any;
use std::error::Error;
use std::pin::Pin;

use tokio::runtime::Runtime;
use zerver_engine::EffectKind;

use crate::effects::interpreter::{Interpreter, Interpreters};

/// Why a service could not be made ready.
pub type LiveError = Box<dyn Error + Send + Sync>;

/// What opens it all.
pub(crate) enum Prepare {
    /// Before the service starts.
    First(OpenFirst),
    /// While it starts: requests are told to come again.
    Meanwhile(Open),
}

pub(crate) type OpenFirst = Box<dyn FnOnce(&mut Live) -> Result<(), LiveError> + Send>;

pub(crate) type Open = Box<dyn for<'l> FnOnce(&'l mut Live) -> Opening<'l> + Send>;

type Opening<'l> = Pin<Box<dyn Future<Output = Result<(), LiveError>> + 'l>>;

/// What outlives the threads of a service.
pub(crate) type Kept = Vec<Box<dyn Any + Send>>;

/// What performs effects while a service serves; see [`App::live`](crate::App::live).
pub struct Live {
    pub(crate) interpreters: Interpreters,
    pub(crate) kept: Kept,
}

impl Live {
    pub(crate) const fn new(interpreters: Interpreters) -> Self {
        Self { interpreters, kept: Vec::new() }
    }

    /// Opens it all; what that has to wait for is waited for on this runtime.
    pub(crate) fn open(
        interpreters: Interpreters,
        prepare: Option<Prepare>,
        runtime: &Runtime,
    ) -> Result<Self, LiveError> {
        let mut live = Self::new(interpreters);
        match prepare {
            Some(Prepare::First(prepare)) => prepare(&mut live)?,
            Some(Prepare::Meanwhile(open)) => runtime.block_on(open(&mut live))?,
            None => {}
        }
        Ok(live)
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
