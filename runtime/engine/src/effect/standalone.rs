//! An effect performed outside a request: what fills a store before a service starts, and what tests use.

use smallvec::SmallVec;

use super::machine::{Calls, Machine, Progress};
use super::{Effect, Performed};
use crate::{Failure, Random, Start};

/// An effect on its way, outside a job: a state machine without I/O, as [`crate::Job`] is.
pub struct Alone<T> {
    machine: Machine<T>,
    next: u32,
    starts: SmallVec<[Start; 2]>,
    random: Random,
}

impl<T> Alone<T> {
    /// An effect that has not begun. Call [`Alone::advance`] without an answer to begin it. The randomness is for pauses
    /// before further attempts.
    pub fn new(effect: Effect<T>, random: Random) -> Self {
        Self { machine: Machine::new(effect, 0), next: 0, starts: SmallVec::new(), random }
    }

    /// Takes in how a call ended, at a time since the effect began, and gives the output once it is there. Until then there
    /// are calls in flight, or to start.
    pub fn advance(&mut self, answer: Option<(u32, Performed)>, now_ns: u64) -> Option<Result<T, Failure>> {
        let mut calls = Calls { next: &mut self.next, starts: &mut self.starts, random: self.random, now_ns };
        if let Some((number, performed)) = answer {
            self.machine.answer(number, &performed, &mut calls);
        }
        loop {
            match self.machine.advance(&mut calls) {
                Progress::More => {}
                Progress::Waits => return None,
                Progress::Ended(output) => return Some(output),
            }
        }
    }

    /// The calls to start, each once.
    pub fn take_starts(&mut self) -> SmallVec<[Start; 2]> {
        std::mem::take(&mut self.starts)
    }
}
