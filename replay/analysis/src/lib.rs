//! Pure functions over traces.
//!
//! A [`Timeline`] says where the time of one request went; a [`Diff`] says why another took longer, a [`Why`] where it
//! stands among others; a [`Corpus`] what many replays have in common. Everything here takes a loaded
//! [`zerver_trace::Trace`] and gives back plain data: no store, no socket, no clock, and nothing is printed. A trace may
//! be incomplete or hostile; the answer then says what is missing, and no function panics.

mod corpus;
mod diff;
pub mod display;
mod generalized_text;
mod rfc3339;
mod simulate;
mod time_attribution;
mod timeline;
mod why;

pub use corpus::{Corpus, CorpusCounts, FindingCause, FindingGroup, NotReplayedGroup};
pub use diff::{
    Cause, CauseKind, Diff, DiffJson, DiffRow, DiffSide, Difference, DifferenceKind, IgnoredHeaders,
    NotCompared, Pair, RowStatus, RunPair, TextLine, TooFewRequests, TypicalPair, changed_lines,
    duration_pair, typical_pair,
};
pub use rfc3339::{Utc, rfc3339};
pub use simulate::{
    Deviation, GroupResults, MACHINE_SETTINGS, MachineSetting, Quantiles, Reproduction, RequestStats,
    SchedulingSettings, SimMachine, Simulation, machine_setting,
};
pub use timeline::{
    Attempt, CompletionDelay, Contributor, ContributorKind, Effect, EffectEnd, Failure, Gap, KindTotals,
    Migration, ReadDelay, Reclassification, SlotWrite, Step, StepRun, Timeline, TimelineJson, Totals,
    Verdict, median,
};
pub use why::{
    Association, Baseline, Correlation, Distribution, MIN_POPULATION, RankedTime, TimePart, ValueGroup, Why,
    WhyJson,
};
