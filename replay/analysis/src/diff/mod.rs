//! Diff of two requests: where the difference in time is, in parts that add up, and what differs, the most upstream
//! first.
//!
//! `comparison` runs the steps. `pairing` pairs runs and effects, `causes` splits the difference in time, and
//! `run_differences`, `slot_writes`, `http_message` and `outcome` find `difference`s, which `differences` collects.
//! `value_changes` compares two values, `ignored_headers` lists what is not compared, and `text_lines` compares two
//! texts. `diff_rows` and `wording` are for display, `document` is the JSON form, and `typical_pair` picks two requests
//! to compare.

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
