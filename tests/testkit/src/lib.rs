//! Traces that the unit tests of several crates share: hand-built ones, and arbitrary ones.
//!
//! Depends on `zerver-trace` only. A crate that this one depended on could not use it in its unit tests, because these
//! would see two versions of each of its types: the one under test, and the one that this crate was built with.

pub mod hostile;
pub mod sample;
