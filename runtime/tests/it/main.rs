//! One binary for all tests of the crate: linked once.

mod effects;
mod effects_disk;
mod effects_http;
mod effects_kv;
