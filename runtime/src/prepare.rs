//! What is opened when a service really serves, and at no other time.

use std::any::Any;
use std::error::Error;

use zerver_engine::EffectKind;

use crate::interpreter::{Interpreter, Interpreters};

/// Why a service could not be made ready.
pub type LiveError = Box<dyn Error + Send + Sync>;

pub(crate) type Prepare = Box<dyn FnOnce(&mut Live) -> Result<(), LiveError> + Send>;

/// What performs effects while a service serves; see [`App::live`](crate::App::live).
pub struct Live {
    pub(crate) interpreters: Interpreters,
    pub(crate) kept: Vec<Box<dyn Any + Send>>,
}

impl Live {
    /// Opens it all.
    pub(crate) fn open(interpreters: Interpreters, prepare: Option<Prepare>) -> Result<Self, LiveError> {
        let mut live = Self { interpreters, kept: Vec::new() };
        prepare.map_or(Ok(()), |prepare| prepare(&mut live))?;
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
