//! The event loop: the one place that connects the state with a terminal, threads and the outside world.

mod command_runner;
mod run_loop;
mod store_follower;
mod terminal_guard;

pub use run_loop::{Ended, Open, Options, Remote, Told, channel, run};
pub use store_follower::follow;
