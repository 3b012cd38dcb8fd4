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
mod render;
mod replay;
mod report;
mod run;
mod sameness;
mod service_docs;
#[cfg(test)]
mod tests;
pub mod value;
pub mod wire;

pub use compare::compare_jobs::{compare_jobs, mask_for_job};
pub use edits::faults::{Fault, FaultKind, FaultTrial, fault_trials};
pub use edits::{AnswerEdit, EditError, Edits, LiveKind, SlotEdit};
pub use nearest_name::nearest_name;
pub use replay::{Recording, Replay, Secrets, removed_flow_report};
pub use report::{
    AppliedEdit, Coverage, EditedOutcome, Finding, FindingClass, ReplayError, ReplayedResponse, Report,
    ReportedValue, SourceLocation,
};
pub use run::context::{LivePerformer, Progress, ReplayContext, TimerPerformer};
pub use sameness::Sameness;
pub use service_docs::metrics::{
    ClassMetrics, EffectMetrics, RecorderMetrics, ServiceMetrics, StepMetrics, WorkerMetrics,
};
pub use service_docs::settings::{SettingDoc, SettingSource};
pub use value::json::RecordedJson;
pub use value::side_by_side::side_by_side;
