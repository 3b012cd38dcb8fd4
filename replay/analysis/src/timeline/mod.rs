//! Timeline of one request: where its time went, what was written, and what failed.
//!
//! `build` turns the events of a trace into `rows`. `totals` splits the time into parts that add up, `contributors` ranks
//! what took the most, and `document` is the JSON form.

mod build;
mod contributors;
mod document;
mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod totals;

pub(crate) use build::flow_names::{slots_named, step_name};
pub use contributors::{Contributor, ContributorKind, Verdict, median};
pub use document::TimelineJson;
pub use rows::effect::{
    Attempt, CompletionDelay, Effect, EffectEnd, InjectedFault, LogLine, Plan, Point, PolicyNote, ReadDelay,
    UndoState,
};
pub use rows::failure::Failure;
pub use rows::gap::Gap;
pub use rows::policy_wait::PolicyWait;
pub(crate) use rows::policy_wait::http_host;
pub use rows::slot_write::SlotWrite;
pub use rows::step::Step;
pub use rows::timeline::{Migration, Reclassification, StepRun, Timeline};
pub use totals::{KindTotals, Totals};
