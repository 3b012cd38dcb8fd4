//! Runs recorded requests again, against today's code.
//!
//! A [`Replay`] feeds a recorded request to a fresh job, answers its effects from the recording, and compares what comes
//! out. This crate is what a service must link to host replays, and the words in which it and the command speak. It takes
//! a loaded [`zerver_trace::Trace`] and gives back plain data: no store, no socket, no clock, and nothing is printed. A
//! trace may be incomplete or hostile; the answer then says what is missing, and no function panics.

mod compare;
mod edited_replay;
mod edits;
mod mask;
mod nearest_name;
mod observed;
mod recording;
mod render;
mod replay;
mod replay_error;
mod report;
mod run;
mod sameness;
mod service_docs;
#[cfg(test)]
mod tests;
mod unreplayable;
pub mod value;
pub mod wire;

pub use compare::compare_jobs::{compare_jobs, mask_for_job};
pub use edits::answer_edit::AnswerEdit;
pub use edits::edit_error::EditError;
pub use edits::edit_set::Edits;
pub use edits::faults::{Fault, FaultKind, FaultTrial, fault_trials};
pub use edits::live_kind::LiveKind;
pub use edits::slot_edit::SlotEdit;
pub use nearest_name::nearest_name;
pub use recording::{Recording, Secrets};
pub use replay::Replay;
pub use replay_error::ReplayError;
pub use report::{
    AppliedEdit, Coverage, EditedOutcome, Finding, FindingClass, ReplayedResponse, Report, ReportedValue,
    SourceLocation,
};
pub use run::context::{LivePerformer, Progress, ReplayContext, TimerPerformer};
pub use sameness::Sameness;
pub use service_docs::metrics::{
    ClassMetrics, EffectMetrics, RecorderMetrics, ServiceMetrics, StepMetrics, WorkerMetrics,
};
pub use service_docs::settings::{SettingDoc, SettingSource};
pub use unreplayable::removed_flow_report;
pub use value::json::RecordedJson;
pub use value::side_by_side::side_by_side;
