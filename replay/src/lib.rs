//! Runs recorded requests again with today's code.
//!
//! A [`Replay`] gives the inputs of a [`Recording`] to a fresh job, answers its effects from the recording, and
//! compares the run with what was recorded. A service links this crate to host replays; [`wire`] is the protocol
//! between the service and the command line. Whatever only reads traces belongs in `zerver-analysis`.
//!
//! Everything here takes a loaded [`zerver_trace::Trace`] and returns plain data. The crate opens no store and no
//! socket, reads no clock, and prints nothing. A trace may be incomplete or hostile: the report then states what is
//! missing, and no function panics.

#![warn(missing_debug_implementations)]

mod compare;
mod edited_replay;
mod edits;
mod explain;
mod mask;
mod missing_input;
mod observed;
mod rebuilt_request;
mod recording;
mod render;
mod replay;
mod replay_error;
mod report;
mod run;
mod sameness;
mod single_run;
mod slice;
#[cfg(test)]
mod tests;
mod unreplayable;
pub mod value;
pub mod wire;

pub use compare::compare_jobs::compare_jobs;
pub use edits::answer_edit::AnswerEdit;
pub use edits::edit_error::EditError;
pub use edits::edit_set::Edits;
pub use edits::faults::{Fault, FaultKind, FaultTrial, fault_trials};
pub use edits::live_kind::LiveKind;
pub use edits::slot_edit::SlotEdit;
pub use explain::{CallExplanation, ExplainCall, UnexplainableCall};
pub use missing_input::MissingInput;
pub use rebuilt_request::RebuiltRequest;
pub use recording::{Recording, Secrets};
pub use replay::Replay;
pub use replay_error::ReplayError;
pub use report::{
    AppliedEdit, Consequence, ConsequenceState, Coverage, EditedOutcome, Finding, FindingClass,
    ReplayedResponse, Report, ReportedValue, SourceLocation,
};
pub use run::context::{LivePerformer, Progress, ReplayContext, TargetLimits, TimerPerformer};
pub use sameness::Sameness;
pub use slice::{
    ChangedInput, EffectOnPath, InputInfluence, Relation, RuledOut, SliceRequest, SlotOnPath, StaticSlice,
    StepOnPath, Undecided, ValuePath, ValueRoot, ValueSlice, recorded_inputs, static_slice,
};
pub use unreplayable::removed_flow_report;
pub use value::side_by_side::side_by_side;
pub use zerver_engine::ChaosRule;
pub use zerver_engine::service_docs::{
    AliasMetrics, BurnWindow, ChaosMetrics, ClassMetrics, EffectMetrics, FleetMetrics, FlowMetrics,
    LatencyBucket, RecorderMetrics, ServiceMetrics, SettingDoc, SettingSource, SloMetrics, SloState,
    StepMetrics, TargetMetrics, WorkerMetrics,
};
pub use zerver_trace::nearest_name;
pub use zerver_trace::value::json::RecordedJson;
