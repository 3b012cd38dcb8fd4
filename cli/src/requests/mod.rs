//! Recorded requests as lists: selected, grouped, followed, and in JSON.

pub(crate) mod fleet_nodes;
pub(crate) mod groups;
pub(crate) mod json;
pub(crate) mod selection;
pub(crate) mod store_follower;
