//! Where the time of one request went, what was written, and what failed: a pure function over its trace.
//!
//! `model` is what a timeline is, `build` puts the events of a trace into rows, `names` knows steps and slots, `totals`
//! splits the time so that the parts add up, `verdict` names the largest part, `label` gives the rows their words,
//! `document` is the form for other programs.

mod builder;
mod contributors;
mod document;
mod flow_names;
#[cfg(test)]
pub(crate) mod hostile;
mod missing_values;
mod rows;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
mod time_sums;
pub(crate) mod totals;

pub use contributors::{Contributor, ContributorKind, Verdict, median};
pub use document::TimelineJson;
pub use rows::{
    Attempt, CompletionDelay, Effect, EffectEnd, Failure, Gap, Migration, ReadDelay, Reclassification,
    SlotWrite, Step, StepRun, Timeline,
};
pub use totals::{KindTotals, Totals};
