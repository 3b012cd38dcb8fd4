//! Timeline of one request: where its time went, what was written, and what failed.
//!
//! `builder` turns the events of a trace into `rows`, `effect`s and `gap`s, with `flow_names` for steps and slots.
//! `totals` and `time_sums` split the time so that the parts add up, `contributors` ranks what took the most, and
//! `document` is the JSON form.

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
