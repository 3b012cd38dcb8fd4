//! Divides the queue time of a request among the steps of other requests that held its thread meanwhile.
//!
//! `threads` follows a request from thread to thread, `builder` divides the time, and `holders` is the result, in parts
//! that add up exactly to [`crate::Totals::queue_ns`].

mod builder;
mod holders;
#[cfg(test)]
mod tests;
mod threads;

pub use builder::QueueHoldersBuilder;
pub use holders::{HolderGroup, HolderKind, QueueHolder, QueueHolders};
