//! Two requests compared: where the difference in time is, in parts that add up, and what differs, the most upstream
//! first. A pure function over their traces.
//!
//! `align` says what goes with what, `causes` splits the difference in time, `walk`, `message` and `outcome` find what differs,
//! `value` compares two values, `ignored` knows what is not compared, `words` compares two texts, `lines` and `wording` say it for a person, `typical` picks two
//! requests to compare, `document` is the form for other programs.

mod align;
mod build;
mod causes;
mod document;
mod ignored;
mod lines;
pub(crate) mod message;
mod model;
mod outcome;
#[cfg(test)]
mod tests;
mod typical;
mod value;
mod walk;
mod wording;
mod words;

pub use align::{Pair, Row};
pub use causes::{Cause, CauseKind};
pub use document::DiffJson;
pub use ignored::Ignored;
pub use lines::{Line, Mark};
pub use model::{Diff, Difference, NotCompared, Side, What};
pub use typical::{TooFew, Typical, typical};
pub use wording::span;
pub use words::{TextLine, changed_lines};
