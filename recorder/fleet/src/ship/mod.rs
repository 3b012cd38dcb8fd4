//! Sends the closed blocks of a spool to the database of a fleet.

mod backoff;
pub(crate) mod block_columns;
mod shipment;
pub(crate) mod shipper;
pub(crate) mod shipper_status;
