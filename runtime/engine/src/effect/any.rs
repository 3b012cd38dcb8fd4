//! Alternatives: effects that are performed at the same time, of which the first success counts.

use std::any::Any;
use std::fmt;

use super::composition::Effect;
use super::program::{GroupOp, Op, Program, Resolver, take};
use crate::Failure;

struct AnyOf<T> {
    programs: Vec<Program>,
    success: Option<T>,
    /// Failure of the effect with the lowest position among those that have failed.
    failure: Option<(usize, Failure)>,
}

impl<T: Send + 'static> GroupOp for AnyOf<T> {
    fn len(&self) -> usize {
        self.programs.len()
    }

    fn ends_early(&self) -> bool {
        true
    }

    fn program(&mut self, at: usize) -> Program {
        self.programs.get_mut(at).map(std::mem::take).unwrap_or_default()
    }

    fn put(&mut self, at: usize, output: &mut dyn Any) -> bool {
        match take::<T>(output) {
            Some(Ok(value)) => self.success = Some(value),
            Some(Err(failure)) if self.failure.as_ref().is_none_or(|(first, _)| at < *first) => {
                self.failure = Some((at, failure));
            }
            Some(Err(_)) | None => {}
        }
        self.success.is_some()
    }

    fn finish(self: Box<Self>, resolver: &mut Resolver<'_>) {
        let none = || Failure::internal("any").message("of no effects");
        let failure = self.failure.map_or_else(none, |(_, failure)| failure);
        resolver.resolve(self.success.ok_or(failure));
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>, depth: u8) -> fmt::Result {
        self.programs.iter().try_for_each(|program| {
            f.write_str(" ")?;
            program.describe(f, depth)
        })
    }
}

/// Performs several effects at the same time and returns the first output. The others are canceled then, and recorded
/// as such. If all of them fail, it fails with the failure of the first one, in the order of the list.
///
/// To try one effect after another, use [`first_success`].
///
/// ```
/// use zerver_engine::{Effect, any};
///
/// let first: Effect<u32> = any([Effect::ready(1), Effect::ready(2)]);
/// ```
pub fn any<T: Send + 'static>(effects: impl IntoIterator<Item = Effect<T>>) -> Effect<T> {
    let programs = effects.into_iter().map(Effect::into_program).collect();
    Effect::from_op(Op::Group(Box::new(AnyOf::<T> { programs, success: None, failure: None })))
}

/// Performs effects one after another until one succeeds, and returns its output. If all of them fail, it fails with the
/// failure of the last one.
///
/// ```
/// use zerver_engine::{Effect, Failure, first_success};
///
/// let unavailable = || Effect::fail(Failure::unavailable("rates"));
/// let rates: Effect<u32> = first_success([unavailable(), Effect::ready(2), unavailable()]);
/// ```
pub fn first_success<T: Send + 'static>(effects: impl IntoIterator<Item = Effect<T>>) -> Effect<T> {
    let effects: Vec<_> = effects.into_iter().collect();
    next_success(effects.into_iter(), Failure::internal("first_success").message("of no effects"))
}

/// Performs the next effect, and the others if it fails. One after another is built, because many nested ones could not be
/// dropped without recursion.
fn next_success<T: Send + 'static>(
    mut effects: std::vec::IntoIter<Effect<T>>,
    failure: Failure,
) -> Effect<T> {
    match effects.next() {
        Some(effect) => effect.or(|failure| next_success(effects, failure)),
        None => Effect::fail(failure),
    }
}
