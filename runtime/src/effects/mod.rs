//! The kinds of effect that come with zerver.

pub mod clock;
mod durations;
pub mod http;
pub mod kv;
pub mod sleep;

pub use durations::Durations;
pub use sleep::sleep;
