//! Where the time of one request went, what was written, and what failed: a pure function over its trace.
//!
//! `model` is what a timeline is, `build` puts the events of a trace into rows, `names` knows steps and slots, `totals`
//! splits the time so that the parts add up, `verdict` names the largest part, `label` gives the rows their words,
//! `document` is the form for other programs.

mod build;
mod document;
#[cfg(test)]
pub(crate) mod hostile;
mod missing;
mod model;
mod names;
#[cfg(test)]
pub(crate) mod sample;
mod sums;
#[cfg(test)]
mod tests;
pub(crate) mod totals;
mod verdict;

pub use document::TimelineJson;
pub use model::{
    Attempt, Carry, Effect, End, Failure, Gap, Late, Move, ReadLate, Run, Step, Timeline, Write,
};
pub use totals::{Io, Totals};
pub use verdict::{Contributor, Part, Verdict, median};
