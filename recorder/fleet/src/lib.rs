//! The traces of a fleet on PostgreSQL.
//!
//! Each service records into its own store, the spool. A [`Shipper`] sends the closed blocks of the spool to a database,
//! byte for byte, on a thread of its own (`ship`). [`FleetBlocks`] hands them to the reader of `zerver-recorder`, which
//! reads them like those of a folder (`read`). [`init`] and [`status`] are for operators (`schema`).
//!
//! Statements are sent without a prepared form and without a session, so that a pooler such as PgBouncer may lie between.

#![warn(missing_debug_implementations)]

mod connection;
mod fleet_error;
mod fleet_url;
mod read;
mod schema;
mod ship;

pub use self::fleet_error::FleetError;
pub use self::fleet_url::{FleetUrl, UrlError};
pub use self::read::fleet_blocks::FleetBlocks;
pub use self::schema::init::{InitOptions, InitOutcome, init, upgrade};
pub use self::schema::status::{FleetStatus, NodeStatus, nodes, status};
pub use self::ship::shipper::{Shipper, ShipperOptions};
pub use self::ship::shipper_status::{ShipperEvent, ShipperStatus};
