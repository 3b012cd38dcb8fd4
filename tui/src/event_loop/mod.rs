//! The event loop: connects the state with the terminal, with background threads and with the services.

mod channel;
mod command_runner;
mod run_loop;
mod store_follower;
mod terminal_guard;

pub use channel::{MessageReceiver, MessageSender, channel};
#[cfg(test)]
pub(crate) use command_runner::query_strings;
pub use run_loop::{ExitReason, Options, run};
pub use store_follower::follow_store;
