//! Two requests compared: where the difference in time is, in parts that add up, and what differs, the most upstream
//! first. A pure function over their traces.
//!
//! `align` says what goes with what, `causes` splits the difference in time, `walk`, `message` and `outcome` find what differs,
//! `value` compares two values, `ignored` knows what is not compared, `words` compares two texts, `lines` and `wording` say it for a person, `typical` picks two
//! requests to compare, `document` is the form for other programs.

mod pairing;
mod build;
mod causes;
mod document;
mod ignored_headers;
mod diff_rows;
pub(crate) mod http_message;
mod model;
mod outcome;
#[cfg(test)]
mod tests;
mod typical_pair;
mod value_changes;
mod run_differences;
mod wording;
mod text_lines;

pub use pairing::{Pair, Row};
pub use causes::{Cause, CauseKind};
pub use document::DiffJson;
pub use ignored_headers::Ignored;
pub use diff_rows::{Line, Mark};
pub use model::{Diff, Difference, NotCompared, Side, What};
pub use typical_pair::{TooFew, Typical, typical};
pub use wording::span;
pub use text_lines::{TextLine, changed_lines};
