//! Recorded values: how they are read, compared, changed and shown. Nothing here knows of replays.

mod decimal;
pub mod display;
pub mod equality;
pub mod json;
pub mod json_tree;
pub mod label;
pub mod masked_text;
pub(crate) mod path;
pub mod side_by_side;
