//! Tests against a real Redis server, which they start.

mod commands;
mod harness;
mod outages;
mod recordings;
mod shared;
mod streams;
