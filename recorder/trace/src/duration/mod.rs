//! Lengths of time, written for people.

mod human;
mod unit;

pub use human::{HumanDuration, age, show};
pub use unit::Unit;
