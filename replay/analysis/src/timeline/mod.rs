//! Where the time of one request went, what was written, and what failed: a pure function over its trace.
//!
//! `model` is what a timeline is, `build` puts the events of a trace into rows, `names` knows steps and slots, `totals`
//! splits the time so that the parts add up, `verdict` names the largest part, `label` gives the rows their words,
//! `document` is the form for other programs.

mod builder;
mod contributors;
mod document;
mod effect;
mod failure;
mod failure_builder;
mod flow_names;
mod gap;
#[cfg(test)]
pub(crate) mod hostile;
mod missing_values;
mod rows;
#[cfg(test)]
pub(crate) mod sample;
mod slot_write;
mod step;
#[cfg(test)]
mod tests;
mod time_sums;
pub(crate) mod totals;

pub use contributors::{Contributor, ContributorKind, Verdict, median};
pub use document::TimelineJson;
pub use effect::{Attempt, CompletionDelay, Effect, EffectEnd, ReadDelay};
pub use failure::Failure;
pub use gap::Gap;
pub use rows::{Migration, Reclassification, StepRun, Timeline};
pub use slot_write::SlotWrite;
pub use step::Step;
pub use totals::{KindTotals, Totals};
