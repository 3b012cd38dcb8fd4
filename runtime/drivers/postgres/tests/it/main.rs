//! Tests against a real PostgreSQL server, which they start.

mod harness;
mod idempotency;
mod lost_connections;
mod migrations;
mod outages;
mod recordings;
mod results;
mod transactions;
mod values;
