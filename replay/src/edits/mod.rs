//! Changes to the inputs of a replay.
//!
//! `edit_set` is all of them, one file for each sort; `prepared_edits` are those that fit a flow, `edit_checks` those that fit
//! a recording; `json_forms` reads values as users write them.

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
