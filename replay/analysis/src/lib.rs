//! Pure functions over traces.
//!
//! A [`Timeline`] says where the time of one request went; a [`Diff`] says why another took longer, a [`Why`] where it
//! stands among others; a [`Corpus`] what many replays have in common. Everything here takes a loaded
//! [`zerver_trace::Trace`] and gives back plain data: no store, no socket, no clock, and nothing is printed. A trace may
//! be incomplete or hostile; the answer then says what is missing, and no function panics.

mod corpus;
mod diff;
mod rfc3339;
mod shares;
pub mod shown;
mod simulate;
mod timeline;
mod why;

pub use corpus::{Corpus, FindingCause, FindingGroup, Reason, Tally};
pub use diff::{
    Cause, CauseKind, Diff, DiffJson, Difference, Ignored, Line, Mark, NotCompared, Pair, Row, Side,
    TextLine, TooFew, Typical, What, changed_lines, span, typical,
};
pub use rfc3339::{Utc, rfc3339};
pub use simulate::{
    Compared, Deviation, Figures, Quantiles, Reproduced, SETTINGS, SchedulingSettings, Setting, SimMachine,
    Simulation, setting,
};
pub use timeline::{
    Attempt, Carry, Contributor, Effect, End, Failure, Gap, Io, Late, Move, Part, ReadLate, Run, Step,
    Timeline, TimelineJson, Totals, Verdict, Write, median,
};
pub use why::{Association, Group, Link, MIN_POPULATION, Place, Spread, Standing, Usual, Why, WhyJson};
