//! The database of a fleet, open for reading.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_postgres::Row;
use zerver_recorder::{Blocks, BlocksView, FileMark, ReadError, StoreCounts};

use crate::fleet_error::FleetError;
use crate::postgres::VERSION;
use crate::postgres::connection::{Connection, Parameter};
use crate::postgres::postgres_url::PostgresUrl;
use crate::postgres::postgres_view::PostgresView;

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

    fn view_now(&self) -> Result<PostgresView, ReadError> {
        let rows = self.shared.query(
            "select version, next_at, coalesce((select min(at) from {ns}.block), next_at), n.recorded, n.not_kept, \
             n.dropped from {ns}.fleet, (select coalesce(sum(recorded), 0)::bigint as recorded, \
             coalesce(sum(not_kept), 0)::bigint as not_kept, coalesce(sum(dropped), 0)::bigint as dropped \
             from {ns}.node) n",
            &[],
        )?;
        let url = &self.shared.url;
        let Some(row) = rows.first() else {
            let hint = format!("run `zerver fleet init --store '{url}'`");
            return Err(FleetError::lasting("the namespace is empty", hint).into_read_error(url));
        };
        let version: i32 = row.get(0);
        if version != VERSION {
            return Err(FleetError::version(url.namespace(), url, version, VERSION).into_read_error(url));
        }
        let count = |at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or_default();
        let counts = StoreCounts { recorded: count(3), not_kept: count(4), dropped: count(5) };
        Ok(PostgresView::new(Arc::clone(&self.shared), count(2)..count(1), counts))
    }
}

impl Blocks for PostgresBlocks {
    fn place(&self) -> String {
        self.shared.url.to_string()
    }

    fn dir(&self) -> Option<&Path> {
        None
    }

    fn view(&self) -> Result<Box<dyn BlocksView>, ReadError> {
        Ok(Box::new(self.view_now()?))
    }

    fn is_in_place(&self) -> bool {
        true
    }

    fn mark(&self) -> Option<FileMark> {
        None
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
