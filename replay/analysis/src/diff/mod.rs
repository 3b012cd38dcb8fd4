//! Diff of two requests: where the difference in time is, in parts that add up, and what differs, the most upstream
//! first.
//!
//! `comparison` runs the steps. `pairing` pairs runs and effects, `causes` splits the difference in time, and `compare`
//! finds each `difference` in the requests, the runs and the responses, except for `ignored_headers`. `display` holds rows
//! and wording, `document` is the JSON form, and `typical_pair` picks two requests to compare.

mod causes;
mod compare;
mod comparison;
mod difference;
mod display;
mod document;
mod ignored_headers;
mod pairing;
mod plan_changes;
#[cfg(test)]
mod tests;
mod typical_pair;

pub use causes::{Cause, CauseKind};
pub use comparison::{Diff, DiffSide};
pub use difference::{Difference, DifferenceKind, NotCompared};
pub use display::diff_rows::{DiffRow, RowStatus};
pub(crate) use display::text_lines::changed_lines_after;
pub use display::text_lines::{TextLine, changed_lines};
pub use display::wording::duration_pair;
pub use document::DiffJson;
pub use ignored_headers::IgnoredHeaders;
pub use pairing::{Pair, RunPair};
pub use plan_changes::PlanChange;
pub use typical_pair::{TooFewRequests, TypicalPair, typical_pair};
