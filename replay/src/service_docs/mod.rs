//! What a service reports about itself to the command line: its metrics and its settings.

pub(crate) mod metrics;
pub(crate) mod settings;
