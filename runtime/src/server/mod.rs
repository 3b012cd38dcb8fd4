//! A running service: its threads, from the acceptor to the workers, and the state that they share.

mod acceptor;
pub(crate) mod handle;
pub(crate) mod listener;
pub(crate) mod readiness;
pub(crate) mod service;
pub(crate) mod startup_thread;
mod thread_group;
mod thread_spawner;
pub(crate) mod workers;
