//! The database of a fleet, open for reading.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use zerver_recorder::{ReadError, StoreCounts};

use crate::fleet_error::FleetError;
use crate::keys::pair::KeyId;
use crate::postgres::VERSION;
use crate::postgres::connection::{Connection, Parameter};
use crate::postgres::postgres_url::PostgresUrl;
use crate::postgres::postgres_view::{Archived, PostgresView};

/// The blocks in the tables of a namespace.
pub(crate) struct PostgresBlocks {
    shared: Arc<SharedConnection>,
}

impl PostgresBlocks {
    /// Connects to a fleet.
    ///
    /// # Errors
    /// If the database cannot be reached or read, or the namespace is not there or has another version.
    pub(crate) fn open(url: &PostgresUrl) -> Result<Self, ReadError> {
        let connection = Connection::new(url.clone()).map_err(|error| error.into_read_error(url))?;
        let shared = SharedConnection { url: url.clone(), connection: Mutex::new(connection) };
        let blocks = Self { shared: Arc::new(shared) };
        blocks.view_now()?;
        Ok(blocks)
    }

    pub(crate) fn place(&self) -> String {
        self.shared.url.to_string()
    }

    /// Reads a wrapped data key.
    pub(crate) fn wrapped_key(&self, id: KeyId) -> Result<Option<Vec<u8>>, ReadError> {
        let id = &id.0[..];
        let rows = self
            .shared
            .query("select wrapped from {ns}.sealing_key where key_id = $1", &[(&id, Type::BYTEA)])?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Returns the blocks as they are now.
    pub(crate) fn view_now(&self) -> Result<PostgresView, ReadError> {
        let url = &self.shared.url;
        // Another version may lack columns.
        let versions = self.shared.query("select version from {ns}.fleet", &[])?;
        let Some(version) = versions.first().map(|row| row.get(0)) else {
            let hint = format!("run `zerver fleet init --store '{url}'`");
            return Err(FleetError::lasting("the namespace is empty", hint).into_read_error(url));
        };
        if version != VERSION {
            return Err(FleetError::version(url.namespace(), url, version, VERSION).into_read_error(url));
        }
        let rows = self.shared.query(
            "select next_at, coalesce((select min(at) from {ns}.block), next_at), n.recorded, n.not_kept, n.dropped, \
             archive, archived_before from {ns}.fleet, (select coalesce(sum(recorded), 0)::bigint as recorded, \
             coalesce(sum(not_kept), 0)::bigint as not_kept, coalesce(sum(dropped), 0)::bigint as dropped \
             from {ns}.node) n",
            &[],
        )?;
        let Some(row) = rows.first() else {
            return Err(FleetError::passing("the namespace was removed meanwhile").into_read_error(url));
        };
        let count = |at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or_default();
        let counts = StoreCounts { recorded: count(2), not_kept: count(3), dropped: count(4) };
        let archive: Option<String> = row.get(5);
        let archived = archive
            .filter(|_| url.is_archive_read)
            .map(|archive| Archived { url: archive, before: row.get(6) });
        Ok(PostgresView::new(Arc::clone(&self.shared), count(1)..count(0), counts, archived))
    }
}

/// The connection that all views of a fleet share.
pub(super) struct SharedConnection {
    pub(super) url: PostgresUrl,
    connection: Mutex<Connection>,
}

impl SharedConnection {
    pub(super) fn query(&self, text: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, ReadError> {
        let mut connection: MutexGuard<'_, Connection> =
            self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.query(text, parameters).map_err(|error| error.into_read_error(&self.url))
    }
}
