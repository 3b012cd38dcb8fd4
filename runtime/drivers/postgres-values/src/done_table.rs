//! The table of statements that were performed once, which all drivers share.

/// Statement that creates the table in which [`once`](zerver::effects::sql::Query::once) keeps keys and answers. It is
/// performed when the table is needed first. A service whose user may not create tables performs it as a migration.
///
/// Rows are never removed by themselves. How long a key protects is decided by a statement such as `delete from zerver_done
/// where created_at < now() - interval '30 days'`, performed now and then.
pub const CREATE: &str = "create table if not exists zerver_done (
    key text primary key,
    fingerprint text not null,
    answer bytea,
    created_at timestamptz not null default now())";

/// Adds a key with its fingerprint, unless it exists. If another transaction has added the key and not ended yet, this waits
/// for its end.
pub const CLAIM: &str =
    "insert into zerver_done (key, fingerprint) values ($1, $2) on conflict (key) do nothing";

/// Returns the fingerprint and the answer of a key.
pub const LOOK_UP: &str = "select fingerprint, answer from zerver_done where key = $1";

/// Keeps the answer of a key.
pub const KEEP: &str = "update zerver_done set answer = $2 where key = $1";

/// Number of the lock under which the table is created, because PostgreSQL fails one of two transactions that create a table
/// at the same time, also with `if not exists`.
pub const LOCK: i64 = 0x7a65_7276_6573;
