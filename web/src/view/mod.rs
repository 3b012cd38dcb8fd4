//! Views: pure functions from loaded state to markup. They read nothing and change nothing.

pub(crate) mod catalog;
pub(crate) mod diff;
pub(crate) mod flow_graph;
pub(crate) mod flows;
pub(crate) mod heat_map;
pub(crate) mod query_box;
pub(crate) mod replay;
pub(crate) mod request;
pub(crate) mod request_list;
pub(crate) mod scheduler;
pub(crate) mod sql;
#[cfg(test)]
mod tests;
pub(crate) mod value_link;
pub(crate) mod value_sources;
pub(crate) mod why;
