//! End to end tests, and the tests that keep ARCHITECTURE.md true.

mod architecture;
mod dev;
mod diff;
mod disk;
mod harness;
mod replay;
mod simulate;
mod story;
mod todos;
mod trouble;
