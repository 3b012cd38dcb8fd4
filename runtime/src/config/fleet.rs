//! Settings of the fleet that a service belongs to.

use std::time::Duration;

/// Settings of the fleet that a service belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    /// URL of the database to which recorded requests are shipped. It may contain a password.
    pub(crate) store: Option<String>,
    /// Time between two shipments.
    pub(crate) every: Duration,
}

impl Default for Fleet {
    fn default() -> Self {
        Self { store: None, every: Duration::from_secs(10) }
    }
}
