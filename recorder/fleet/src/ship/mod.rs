//! Sends the closed blocks of a spool to a fleet.

mod backoff;
pub(crate) mod destination;
#[cfg(test)]
mod killed_shipper;
mod rate_quota;
mod shipment;
pub(crate) mod shipper;
pub(crate) mod shipper_status;
