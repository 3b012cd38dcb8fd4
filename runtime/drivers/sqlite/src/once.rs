//! Statements that are performed once: their row in the table of keys, which is written in their transaction.

use rusqlite::Connection;
use zerver::effects::sql::{Once, Reply};

use crate::error_mapping::Stop;

/// Statement that creates the table in which [`once`](zerver::effects::sql::Query::once) keeps keys and answers. It is
/// performed when the table is needed first; a migration can also perform it.
///
/// Rows are never removed by themselves. How long a key protects is decided by a statement such as `delete from zerver_done
/// where created_at < datetime('now', '-30 days')`, performed now and then.
pub const DONE_TABLE: &str = "create table if not exists zerver_done (
    key text primary key not null,
    fingerprint text not null,
    answer blob,
    created_at text not null default current_timestamp)";

const CLAIM: &str = "insert into zerver_done (key, fingerprint) values (?1, ?2) on conflict (key) do nothing";
const LOOK_UP: &str = "select fingerprint, answer from zerver_done where key = ?1";
const KEEP: &str = "update zerver_done set answer = ?2 where key = ?1";
const TABLE_EXISTS: &str = "select 1 from sqlite_schema where type = 'table' and name = 'zerver_done'";

/// State of a key at the start of a transaction.
pub(crate) enum Claim {
    /// The key was added.
    New,
    /// The key exists, with this answer.
    Known(Reply),
}

/// Adds the key, or returns the answer that is kept with it. The transaction has the lock of the writer, so that no other
/// one can add the key meanwhile.
pub(crate) fn claim(connection: &Connection, once: &Once<'_>) -> Result<Claim, Stop> {
    let has_table = connection.prepare_cached(TABLE_EXISTS)?.exists([])?;
    if !has_table {
        connection.execute_batch(DONE_TABLE)?;
    }
    let added = connection.prepare_cached(CLAIM)?.execute([once.key(), once.fingerprint()])?;
    if added > 0 {
        return Ok(Claim::New);
    }
    let row = connection
        .prepare_cached(LOOK_UP)?
        .query_row([once.key()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<Vec<u8>>>(1)?)))?;
    let (fingerprint, answer) = row;
    Ok(Claim::Known(once.decode(&fingerprint, answer)?))
}

/// Keeps the answer with the key that this transaction has added.
pub(crate) fn keep(connection: &Connection, once: &Once<'_>, reply: &Reply) -> Result<(), Stop> {
    let answer = once.encode(reply)?;
    connection.prepare_cached(KEEP)?.execute((once.key(), answer))?;
    Ok(())
}
