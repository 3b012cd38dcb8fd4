//! Two requests compared: where the difference in time is, in parts that add up, and what differs, the most upstream
//! first. A pure function over their traces.
//!
//! `align` says what goes with what, `causes` splits the difference in time, `walk`, `message` and `outcome` find what differs,
//! `value` compares two values, `ignored` knows what is not compared, `words` compares two texts, `lines` and `wording` say it for a person, `typical` picks two
//! requests to compare, `document` is the form for other programs.

mod causes;
mod comparison;
mod diff_rows;
mod difference;
mod differences;
mod document;
pub(crate) mod http_message;
mod ignored_headers;
mod outcome;
mod pairing;
mod run_differences;
mod slot_writes;
#[cfg(test)]
mod tests;
mod text_lines;
mod typical_pair;
mod value_changes;
mod wording;

pub use causes::{Cause, CauseKind};
pub use comparison::{Diff, DiffSide};
pub use diff_rows::{DiffRow, RowStatus};
pub use difference::{Difference, DifferenceKind, NotCompared};
pub use document::DiffJson;
pub use ignored_headers::IgnoredHeaders;
pub use pairing::{Pair, RunPair};
pub use text_lines::{TextLine, changed_lines};
pub use typical_pair::{TooFewRequests, TypicalPair, typical_pair};
pub use wording::duration_pair;
