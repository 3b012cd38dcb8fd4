//! Recorded values: reading, comparing, changing and displaying them. Apart from `side_by_side`, nothing here refers to
//! replays.

mod decimal;
pub mod display;
pub mod equality;
pub mod json_lines;
pub mod json_tree;
pub mod label;
pub mod masked_text;
pub(crate) mod path;
pub mod side_by_side;

pub use zerver_trace::value::json;
