//! What a call may be called, where somebody wants to say something about it. Nothing is put into words before.

use std::cell::OnceCell;

use zerver_engine::Call;

use super::facts;
use crate::timeline::label;

/// The names of a call of today's code.
pub(super) struct Names<'a> {
    call: &'a Call,
    number: u32,
    /// The recorded call that it is.
    known: Option<&'a facts::Call<'a>>,
    told: OnceCell<String>,
}

impl<'a> Names<'a> {
    pub(super) const fn new(call: &'a Call, number: u32, known: Option<&'a facts::Call<'a>>) -> Self {
        Self { call, number, known, told: OnceCell::new() }
    }

    /// The kind and the summary, as it is told.
    pub(super) fn told(&self) -> &str {
        self.told.get_or_init(|| label::effect(self.call.kind(), &facts::plain(self.call.data())))
    }

    /// Whether this is one of them: as it is told, by its number, as it was recorded.
    pub(super) fn has(&self, name: &str) -> bool {
        name == self.told()
            || name == self.number.to_string()
            || self.known.is_some_and(|known| name == known.label())
    }
}
