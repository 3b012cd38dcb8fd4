//! Steps: plain functions that read slots and return a decision.

mod decision;
mod description;

pub use decision::{Decision, ErasedDecision, Final, IntoDecision, NoProgress};
pub use description::{ReadDesc, Step, StepDesc};
