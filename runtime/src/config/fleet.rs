//! Settings of the fleet that a service belongs to.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of the fleet that a service belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    /// URL of the database to which recorded requests are shipped. It may contain a password.
    pub(crate) store: Option<String>,
    /// Time between two shipments.
    pub(crate) every: Duration,
    /// File with the hash key of the fleet. With it, secrets are sealed for the holder of the private key of the fleet.
    pub(crate) hash_key: Option<PathBuf>,
    /// Number of requests that are shipped of each second. More are only in the store.
    pub(crate) max_per_second: u32,
    /// True if the service does not start while the fleet is out of reach.
    pub(crate) required: bool,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            store: None,
            every: Duration::from_secs(10),
            hash_key: None,
            max_per_second: 200,
            required: false,
        }
    }
}
