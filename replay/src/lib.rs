//! Pure functions over traces.
//!
//! A [`Timeline`] says where the time of one request went; a [`Diff`] says why another took longer, a [`Why`] where it
//! stands among others; a [`Replay`] runs it again. Everything here takes a loaded [`zerver_trace::Trace`] and gives
//! back plain data: no store, no socket, no clock, and nothing is printed. A trace may be incomplete or hostile; the
//! answer then says what is missing, and no function panics.

mod alike;
mod corpus;
mod decimal;
mod diff;
mod json;
mod json_reader;
mod masks;
mod measures;
mod replayer;
mod rfc3339;
mod sameness;
mod shares;
pub mod shown;
pub mod side_by_side;
mod simulate;
mod timeline;
mod told;
mod why;
pub mod wire;

pub use corpus::{Corpus, FindingCause, FindingGroup, Reason, Tally};
pub use diff::{
    Cause, CauseKind, Diff, DiffJson, Difference, Ignored, Line, Mark, NotCompared, Pair, Row, Side,
    TextLine, TooFew, Typical, What, changed_lines, span, typical,
};
pub use json::Json;
pub use measures::{ClassMeasures, EffectMeasures, Measures, RecorderMeasures, StepMeasures, WorkerMeasures};
pub use replayer::{
    AnswerEdit, Applied, Coverage, EditError, Edits, Ending, Fault, Finding, FindingClass, Live, LiveKind,
    Opened, Progress, Refusal, Replay, Replied, Report, Secrets, Seen, SlotEdit, Source, Timers, Trial,
    World, Wrong, apart, flow_is_gone, masked, nearest, trials,
};
pub use rfc3339::{Utc, rfc3339};
pub use sameness::Sameness;
pub use side_by_side::side_by_side;
pub use simulate::{
    Compared, Deviation, Figures, Quantiles, Reproduced, SETTINGS, SchedulingSettings, Setting, SimMachine,
    Simulation, setting,
};
pub use timeline::{
    Attempt, Carry, Contributor, Effect, End, Failure, Gap, Io, Late, Move, Part, ReadLate, Run, Step,
    Timeline, TimelineJson, Totals, Verdict, Write, median,
};
pub use told::{SettingFrom, SettingTold};
pub use why::{Association, Group, Link, MIN_POPULATION, Place, Spread, Standing, Usual, Why, WhyJson};
