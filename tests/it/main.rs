//! End to end tests, and the tests that keep ARCHITECTURE.md true.

mod architecture;
mod dev;
mod diff;
mod disk;
mod harness;
mod pty;
mod replay;
mod story;
mod todos;
mod trouble;
mod tui;
