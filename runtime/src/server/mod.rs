//! A service that runs: its threads, from the acceptor to the workers, and what they share.

pub(crate) mod acceptor;
mod drain_state;
pub(crate) mod exit_barrier;
pub(crate) mod handle;
pub(crate) mod listener;
mod open_connections;
pub(crate) mod readiness;
pub(crate) mod service;
pub(crate) mod startup_thread;
mod thread_group;
mod thread_spawner;
pub(crate) mod worker;
pub(crate) mod worker_context;
mod worker_loop;
pub(crate) mod worker_message;
mod worker_runtime;
