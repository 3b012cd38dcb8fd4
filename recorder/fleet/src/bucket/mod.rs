//! A fleet in a bucket: immutable objects with the blocks of one node and one hour each, which are packed later.
//!
//! Keys begin with the prefix of the URL and the namespace, and go on with
//! - `settings`: the version, and how long blocks stay,
//! - `nodes/<node>`: the last report of a node, which only that node writes,
//! - `builds/<hash>`: what a build says about itself,
//! - `public-keys/` and `keys/`: the keys of the namespace, see `keys`,
//! - `live/<hour>/<segment>`: blocks as a node shipped them,
//! - `packs/<hour>/<pack>`: the segments of an hour, once they are complete.
//!
//! Names of segments and packs say what is in them, so that a list of keys is an index, and follow from the blocks, so that
//! what is sent twice is there once.

pub(crate) mod bucket_destination;
pub(crate) mod bucket_url;
pub(crate) mod compact;
pub(crate) mod format;
pub(crate) mod init;
mod inventory;
pub(crate) mod keys;
mod node_reports;
pub(crate) mod object_store;
pub(crate) mod read;
mod refusals;
pub(crate) mod status;

/// Version of the format that this build reads and writes.
pub(crate) const VERSION: i32 = 1;

/// Starts of keys.
const LIVE: &str = "live/";
const PACKS: &str = "packs/";
const NODES: &str = "nodes/";
const BUILDS: &str = "builds/";
const PUBLIC_KEYS: &str = "public-keys/";
const DATA_KEYS: &str = "keys/";
/// Key of the settings.
const SETTINGS: &str = "settings";
