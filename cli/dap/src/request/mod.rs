//! The loaded request as it is shown: its rows as places to stop at, frames, scopes and variables.

pub(crate) mod frames;
pub(crate) mod loaded;
pub(crate) mod scopes;
pub(crate) mod variable_tree;
pub(crate) mod variables;
