//! Creates and upgrades a namespace.

use crate::bucket;
use crate::fleet_error::FleetError;
use crate::fleet_url::{FleetUrl, Location};
use crate::postgres;

/// Settings of a namespace.
#[derive(Debug, Clone, Copy, Default)]
pub struct InitOptions {
    /// Number of days for which blocks stay. `None` keeps the setting that a namespace has, which is 30 at first.
    pub keep_days: Option<u32>,
}

/// Result of an initialization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitOutcome {
    /// True if the namespace was not there before.
    pub is_new: bool,
    /// Number of days for which blocks stay.
    pub keep_days: u32,
    /// True if the roles `zerver_ship` and `zerver_read` exist. A bucket has none.
    pub has_roles: bool,
}

/// Creates a namespace. If it is there already, only its settings are changed.
///
/// # Errors
/// If the fleet cannot be reached, the user may not create a namespace in it, or the namespace has another version.
pub fn init(url: &FleetUrl, options: InitOptions) -> Result<InitOutcome, FleetError> {
    match &url.location {
        Location::Postgres(url) => postgres::init::init(url, options),
        Location::Bucket(url) => bucket::init::init(url, options),
    }
}

/// Brings a namespace to the version of this build, in place. Returns the version that it had.
///
/// # Errors
/// As for [`init`], and if the namespace is not there.
pub fn upgrade(url: &FleetUrl) -> Result<i32, FleetError> {
    match &url.location {
        Location::Postgres(url) => postgres::init::upgrade(url),
        Location::Bucket(url) => bucket::init::upgrade(url),
    }
}
