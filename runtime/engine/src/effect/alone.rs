//! An effect performed outside a request: what fills a store before a service starts, and what tests use.

use smallvec::SmallVec;

use super::{Calls, Effect, Performed, Plan};
use crate::{Failure, Random, Start};

/// An effect on its way, outside a job: a state machine without I/O, as [`crate::Job`] is.
pub struct Alone<T> {
    plan: Box<dyn Plan<T>>,
    next: u32,
    starts: SmallVec<[Start; 2]>,
    random: Random,
}

impl<T> Alone<T> {
    /// An effect that has not begun. Call [`Alone::advance`] without an answer to begin it. The randomness is for pauses
    /// before further attempts.
    pub fn new(effect: Effect<T>, random: Random) -> Self {
        Self { plan: effect.0, next: 0, starts: SmallVec::new(), random }
    }

    /// Takes in how a call ended, and gives the output once it is there. Until then there are calls in flight, or to
    /// start.
    pub fn advance(&mut self, mut answer: Option<(u32, Performed)>) -> Option<Result<T, Failure>> {
        self.plan.advance(&mut Calls {
            next: &mut self.next,
            starts: &mut self.starts,
            answer: &mut answer,
            retry: None,
            random: self.random,
        })
    }

    /// The calls to start, each once.
    pub fn take_starts(&mut self) -> SmallVec<[Start; 2]> {
        std::mem::take(&mut self.starts)
    }
}
