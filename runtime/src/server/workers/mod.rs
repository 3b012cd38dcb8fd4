//! The workers: threads that own connections and run the requests that arrive on them.

pub(crate) mod drain_state;
pub(crate) mod exit_barrier;
pub(crate) mod open_connections;
pub(crate) mod thread_registry;
pub(crate) mod worker;
pub(crate) mod worker_context;
mod worker_loop;
pub(crate) mod worker_message;
pub(crate) mod worker_runtime;
