//! Changes to the inputs of a replay.
//!
//! `edit_set` holds all edits; each kind of edit has a file. `prepared_edits` are edits that fit a flow, `edit_checks`
//! checks them against a recording, and `json_forms` reads values as users write them.

pub(crate) mod answer_edit;
pub(crate) mod edit_checks;
pub(crate) mod edit_error;
pub(crate) mod edit_set;
pub(crate) mod effect_names;
pub(crate) mod faults;
pub(crate) mod json_forms;
pub(crate) mod live_kind;
pub(crate) mod prepared_edits;
pub(crate) mod slot_edit;
