//! A running service: its threads, which are the acceptor, the workers and the watchdog, and the state that they share.

mod acceptor;
pub(crate) mod handle;
pub(crate) mod listener;
pub(crate) mod readiness;
pub(crate) mod running_service;
pub(crate) mod service;
pub(crate) mod startup_thread;
mod thread_group;
mod thread_spawner;
pub(crate) mod workers;
