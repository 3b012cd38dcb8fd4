//! All integration tests of the crate, in one binary that is linked once.

mod browser;
mod client;
mod files;
mod live;
mod pages;
mod sample_service;
mod security;
