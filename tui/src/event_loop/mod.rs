//! The event loop: the one place that connects the state with a terminal, threads and the outside world.

mod channel;
mod command_runner;
mod run_loop;
mod store_follower;
mod terminal_guard;

pub use channel::{Remote, Told, channel};
pub use run_loop::{Ended, Options, run};
pub use store_follower::follow;
