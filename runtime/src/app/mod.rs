//! A service before it runs: its flows, its interpreters, its settings.

pub(crate) mod builder;
pub(crate) mod startup;
