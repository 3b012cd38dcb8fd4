//! Lengths of time, written for people.

mod digits;
mod human;

pub use digits::{show, show_parts, show_signed, show_signed_parts};
pub use human::{HumanDuration, age};
