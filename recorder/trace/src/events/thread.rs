//! Threads on which requests run.

use std::fmt;

use bincode::{Decode, Encode};
use serde::Serialize;

/// A thread on which requests run. Workers and batch workers are numbered separately, each from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Thread {
    /// A worker, which owns connections.
    Worker(u16),
    /// A thread of low priority.
    BatchWorker(u16),
}

/// Writes the thread for people: `worker 1`, `batch worker 0`.
impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(number) => write!(f, "worker {number}"),
            Self::BatchWorker(number) => write!(f, "batch worker {number}"),
        }
    }
}
