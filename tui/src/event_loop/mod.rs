//! The event loop: the one place that connects the state with a terminal, threads and the outside world.

mod channel;
mod command_runner;
mod run_loop;
mod store_follower;
mod terminal_guard;

pub use channel::{MessageReceiver, MessageSender, channel};
pub use run_loop::{ExitReason, Options, run};
pub use store_follower::follow_store;
