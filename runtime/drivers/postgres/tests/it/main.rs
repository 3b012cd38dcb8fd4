//! Tests against a real PostgreSQL server, which they start.

mod harness;
mod migrations;
mod outages;
mod recordings;
mod results;
mod transactions;
mod values;
