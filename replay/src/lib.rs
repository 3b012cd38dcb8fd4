//! Runs recorded requests again, against today's code.
//!
//! A [`Replay`] feeds a recorded request to a fresh job, answers its effects from the recording, and compares what comes
//! out. This crate is what a service must link to host replays, and the words in which it and the command speak. It takes
//! a loaded [`zerver_trace::Trace`] and gives back plain data: no store, no socket, no clock, and nothing is printed. A
//! trace may be incomplete or hostile; the answer then says what is missing, and no function panics.

pub mod alike;
mod decimal;
pub mod json;
pub mod json_reader;
pub mod label;
pub mod masks;
mod measures;
mod replayer;
mod sameness;
pub mod shown;
pub mod side_by_side;
mod told;
pub mod wire;

pub use json::Json;
pub use measures::{ClassMeasures, EffectMeasures, Measures, RecorderMeasures, StepMeasures, WorkerMeasures};
pub use replayer::{
    AnswerEdit, Applied, Coverage, EditError, Edits, Ending, Fault, Finding, FindingClass, Live, LiveKind,
    Opened, Progress, Refusal, Replay, Replied, Report, Secrets, Seen, SlotEdit, Source, Timers, Trial,
    World, Wrong, apart, flow_is_gone, masked, nearest, trials,
};
pub use sameness::Sameness;
pub use side_by_side::side_by_side;
pub use told::{SettingFrom, SettingTold};
