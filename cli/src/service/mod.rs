//! The service as a program: found, built, started, queried, and hosting replays.

pub(crate) mod cargo;
pub(crate) mod host;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod query;
pub(crate) mod replayer;
