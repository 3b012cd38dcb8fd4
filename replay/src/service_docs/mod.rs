//! Documents in which a running service describes itself to the command line: metrics and settings.

pub(crate) mod metrics;
pub(crate) mod settings;
