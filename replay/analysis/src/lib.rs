//! Pure functions over traces.
//!
//! A [`Timeline`] shows where the time of one request went, a [`Diff`] why another took longer, a [`SetComparison`] what
//! has changed from one set of requests to another, and [`Why`] how a
//! request compares with others of its flow. A [`Simulation`] estimates the effect of another configuration, and a
//! [`Corpus`] summarizes many replays. The documents (`TimelineJson` and others) are the JSON forms; [`display`] holds
//! wording that the command line and the terminal UI share.
//!
//! Everything here takes loaded [`zerver_trace::Trace`]s and returns plain data. The crate opens no store and no
//! socket, reads no clock, and prints nothing. A trace may be incomplete or hostile: the result then states what is
//! missing, and no function panics. Services do not link this crate.

#![warn(missing_debug_implementations)]

mod body_changes;
mod catalog_diff;
mod common_effects;
mod compare_sets;
mod corpus;
mod curl_command;
mod diff;
pub mod display;
mod duration_histogram;
mod flow_summary;
mod flow_targets;
mod function_line;
mod generalized_text;
mod quantile;
mod query;
mod queue_holders;
mod request_parameters;
mod rfc3339;
mod simulate;
mod slice_text;
mod slo_report;
mod sql;
mod time_attribution;
mod timeline;
mod waterfall;
mod why;

pub use body_changes::{BodyChange, body_changes};
pub use catalog_diff::{Breaking, CatalogChange, CatalogDiff, slo_text};
pub use compare_sets::{
    ChangeMeasure, ChangeSubject, FALSE_DISCOVERY_RATE, FlowComparison, FlowSet, SeparatedSets, SetChange,
    SetComparison, SetComparisonJson, SetPeriod, TestedChange, sample_evenly,
};
pub use corpus::{Corpus, CorpusCounts, FindingCause, FindingGroup, NotReplayedGroup};
pub use curl_command::{CurlCommand, curl_command, shell_word, text as recorded_text};
pub use diff::{
    Cause, CauseKind, Diff, DiffJson, DiffRow, DiffSide, Difference, DifferenceKind, IgnoredHeaders,
    NotCompared, Pair, PlanChange, RowStatus, RunPair, TextLine, TooFewRequests, TypicalPair, changed_lines,
    duration_pair, typical_pair,
};
pub use duration_histogram::{DurationBucket, duration_histogram};
pub use flow_summary::{FlowOrder, FlowSummary, summarize_flows};
pub use flow_targets::FlowTarget;
pub use function_line::function_line;
pub use generalized_text::generalize;
pub use quantile::quantile;
pub use query::{QueryClock, QueryError, RequestFields, RequestQuery, TimeZone, complete_query, field_names};
pub use queue_holders::{HolderGroup, HolderKind, QueueHolder, QueueHolders, QueueHoldersBuilder};
pub use rfc3339::{Utc, rfc3339};
pub use simulate::{
    Deviation, GroupResults, MACHINE_SETTINGS, MachineSetting, Quantiles, Reproduction, RequestStats,
    SchedulingSettings, SimMachine, Simulation, machine_setting,
};
pub use slice_text::{SliceLines, SliceSection, slice_sections};
pub use slo_report::{SloReport, WorstRequest};
pub use sql::{NoSqlCall, RepeatedStatement, ResultTable, SqlCall};
pub use time_attribution::{EffectShare, RunShare, TimeShares, attribute_time};
pub use timeline::{
    Attempt, CompletionDelay, Contributor, ContributorKind, Effect, EffectEnd, Failure, Gap, InjectedFault,
    KindTotals, LogLine, Migration, Plan, Point, PolicyNote, PolicyWait, ReadDelay, Reclassification,
    SlotWrite, Step, StepRun, Timeline, TimelineJson, Totals, UndoState, Verdict, median,
};
pub use waterfall::{
    Moment, MomentKind, Moments, RowState, RowSubject, SlotSnapshot, TimeUse, WaterfallRow, describe_moment,
    failing_run, slots_at, time_uses, waterfall_rows,
};
pub use why::{
    Association, Baseline, Correlation, Distribution, MIN_POPULATION, RankedTime, TimePart, ValueGroup, Why,
    WhyJson,
};
