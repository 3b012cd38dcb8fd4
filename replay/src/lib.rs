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

pub use compare::compare_jobs::{apart, masked};
pub use edits::faults::{Fault, Trial, Wrong, trials};
pub use edits::{AnswerEdit, EditError, Edits, LiveKind, SlotEdit};
pub use nearest_name::nearest;
pub use replay::{Opened, Replay, Secrets, flow_is_gone};
pub use report::{Applied, Coverage, Ending, Finding, FindingClass, Refusal, Replied, Report, Seen, Source};
pub use run::context::{Live, Progress, Timers, World};
pub use sameness::Sameness;
pub use service_docs::metrics::{
    ClassMeasures, EffectMeasures, Measures, RecorderMeasures, StepMeasures, WorkerMeasures,
};
pub use service_docs::settings::{SettingFrom, SettingTold};
pub use value::json::Json;
pub use value::side_by_side::side_by_side;
