//! A service that runs: its threads, from the acceptor to the workers, and what they share.

pub(crate) mod acceptor;
pub(crate) mod exit_barrier;
pub(crate) mod handle;
pub(crate) mod listener;
pub(crate) mod readiness;
pub(crate) mod service;
pub(crate) mod worker;
