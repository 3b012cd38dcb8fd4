//! Tests against a real PostgreSQL server, which they start.

mod explain;
mod harness;
mod idempotency;
mod lost_connections;
mod migrations;
mod once;
mod outages;
mod plans;
mod recordings;
mod results;
mod transactions;
mod values;
