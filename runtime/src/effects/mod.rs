//! The kinds of effect that come with zerver.

mod builtin_interpreters;
pub mod clock;
mod duration_literals;
pub mod http;
/// Interpreters: what performs one kind of effect.
pub mod interpreter;
pub mod kv;
pub mod sleep;

pub use duration_literals::Durations;
pub use sleep::sleep;
