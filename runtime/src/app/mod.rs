//! A service before it runs: its flows, its interpreters, its settings.

pub(crate) mod builder;
mod security;
mod start;
pub(crate) mod start_options;
pub(crate) mod startup;
