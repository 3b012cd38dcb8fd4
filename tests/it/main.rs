//! End-to-end tests, and tests that keep the documents and the structure of the source consistent.

mod architecture;
mod bounds;
mod changed;
mod config;
mod corpus;
mod demo;
mod dev;
mod diff;
mod disk;
mod documentation;
mod harness;
mod hostile;
mod lints;
mod packages;
mod pty;
mod replay;
mod secrets;
mod simulate;
mod stories;
mod story;
mod todos;
mod trouble;
mod tui;
