//! Work on a whole store: examining it, repairing it, and importing traces.

pub(crate) mod doctor;
pub(crate) mod import;
pub mod portable;
