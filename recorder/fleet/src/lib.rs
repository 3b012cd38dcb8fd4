//! The traces of a fleet on PostgreSQL or in a bucket with the interface of Amazon S3.
//!
//! Each service records into its own store, the spool. A [`Shipper`] sends the closed blocks of the spool to the fleet, byte
//! for byte, on a thread of its own (`ship`). [`FleetBlocks`] hands them to the reader of `zerver-recorder`, which reads them
//! like those of a folder. [`init`], [`status`], [`compact`] and [`archive()`] are for operators. What a place does with blocks is below
//! `postgres` and `bucket`; nothing outside of these two names a table or an object.
//!
//! A service that has the hash key of the fleet ([`read_hash_key`]) seals under a data key, which the shipper wraps for the public
//! half of a pair ([`create_key`]). Only readers with the private half open it (`keys`).
//!
//! Statements are sent without a prepared form and without a session, so that a pooler such as PgBouncer may lie between.

#![warn(missing_debug_implementations)]

mod archive;
mod block_visits;
mod bucket;
mod fault_point;
mod fleet_blocks;
mod fleet_error;
mod fleet_init;
mod fleet_status;
mod fleet_url;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod keys;
mod node_status;
mod postgres;
mod ship;

pub use self::archive::archive_run::{ArchiveOutcome, archive};
pub use self::bucket::compact::{CompactOptions, CompactOutcome, compact};
pub use self::fleet_blocks::FleetBlocks;
pub use self::fleet_error::FleetError;
pub use self::fleet_init::{InitOptions, InitOutcome, init, upgrade};
pub use self::fleet_status::{gaps, nodes, status};
pub use self::fleet_url::{FleetUrl, UrlError};
pub use self::keys::fleet_keys::{NewKey, create_key, keys, unwrap_line};
pub use self::keys::key_file::{KeyFileError, read_hash_key};
pub use self::keys::key_status::FleetKeyStatus;
pub use self::keys::pair::KeyId;
pub use self::node_status::{FleetStatus, NodeStatus};
pub use self::ship::shipper::{Shipper, ShipperOptions};
pub use self::ship::shipper_status::{ShipperEvent, ShipperStatus};
