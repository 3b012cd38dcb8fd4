//! Reads the state of a fleet, wherever it is.

use crate::bucket;
use crate::fleet_error::FleetError;
use crate::fleet_url::{FleetUrl, Location};
use crate::node_status::{FleetStatus, NodeStatus};
use crate::postgres;

/// Reads the state of a fleet.
///
/// # Errors
/// If the fleet cannot be read, or the namespace has another version.
pub fn status(url: &FleetUrl) -> Result<FleetStatus, FleetError> {
    match &url.location {
        Location::Postgres(url) => postgres::status::status(url),
        Location::Bucket(url) => bucket::status::status(url),
    }
}

/// Reads the state of the nodes of a fleet, the one that was seen last first.
///
/// # Errors
/// If the fleet cannot be read.
pub fn nodes(url: &FleetUrl) -> Result<Vec<NodeStatus>, FleetError> {
    match &url.location {
        Location::Postgres(url) => postgres::status::nodes(url),
        Location::Bucket(url) => bucket::status::nodes(url),
    }
}

/// Finds objects that a fleet in a bucket had, and that are not there any more although nothing of zerver has deleted them.
/// Returns a description of each gap. PostgreSQL deletes no row by itself, so that it has none.
///
/// # Errors
/// If the fleet cannot be read.
pub fn gaps(url: &FleetUrl) -> Result<Vec<String>, FleetError> {
    match &url.location {
        Location::Postgres(_) => Ok(Vec::new()),
        Location::Bucket(url) => bucket::status::gaps(url),
    }
}
