//! Where the time of one request went, what was written, and what failed: a pure function over its trace.
//!
//! `model` is what a timeline is, `build` puts the events of a trace into rows, `names` knows steps and slots, `totals`
//! splits the time so that the parts add up, `verdict` names the largest part, `label` gives the rows their words,
//! `document` is the form for other programs.

mod builder;
mod document;
#[cfg(test)]
pub(crate) mod hostile;
mod missing_values;
mod rows;
mod flow_names;
#[cfg(test)]
pub(crate) mod sample;
mod time_sums;
#[cfg(test)]
mod tests;
pub(crate) mod totals;
mod contributors;

pub use document::TimelineJson;
pub use rows::{
    Attempt, Carry, Effect, End, Failure, Gap, Late, Move, ReadLate, Run, Step, Timeline, Write,
};
pub use totals::{Io, Totals};
pub use contributors::{Contributor, Part, Verdict, median};
