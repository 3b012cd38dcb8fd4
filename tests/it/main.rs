//! End-to-end tests, and tests that keep the documents and the structure of the source consistent.

mod architecture;
mod architecture_page;
// Only Linux limits the memory of another process, and reports its peak.
#[cfg(target_os = "linux")]
mod bounds;
mod changed;
mod config;
mod corpus;
mod demo;
mod demo_store;
mod dev;
mod diff;
mod disk;
mod documentation;
mod drills;
mod explain;
mod formats;
mod glossary;
mod harness;
mod hostile;
mod imports;
mod lexer;
mod lints;
mod local_servers;
mod mcp;
mod mounted;
mod new_projects;
mod other_process;
mod packages;
mod payments;
mod prose;
mod pty;
mod queries;
mod queues;
mod replay;
mod secrets;
mod simulate;
mod sources;
mod spans;
mod stories;
mod story;
mod todos;
mod trouble;
mod tui;
mod web;
mod why_value;
