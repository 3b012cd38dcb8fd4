//! End to end tests, and the tests that keep ARCHITECTURE.md true.

mod architecture;
mod corpus;
mod dev;
mod diff;
mod disk;
mod harness;
mod replay;
mod story;
mod todos;
mod trouble;
