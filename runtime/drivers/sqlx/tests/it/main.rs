//! Tests against a real PostgreSQL server, which they start. Those of `zerver-postgres` are performed with both drivers at
//! once, and the answers have to be equal.

mod cancellation;
mod harness;
mod outages;

#[path = "../../../postgres/tests/it/idempotency.rs"]
mod idempotency;
#[path = "../../../postgres/tests/it/lost_connections.rs"]
mod lost_connections;
#[path = "../../../postgres/tests/it/once.rs"]
mod once;
#[path = "../../../postgres/tests/it/recordings.rs"]
mod recordings;
#[path = "../../../postgres/tests/it/results.rs"]
mod results;
#[path = "../../../postgres/tests/it/transactions.rs"]
mod transactions;
#[path = "../../../postgres/tests/it/values.rs"]
mod values;
