//! Work on a whole store: examination, repair, import and export.

pub(crate) mod examine;
pub(crate) mod import;
pub mod portable;
pub(crate) mod repair;
pub(crate) mod verify;
