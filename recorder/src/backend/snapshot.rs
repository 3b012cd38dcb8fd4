//! The contents of the database at one moment.

use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};

use redb::{ReadTransaction, TableError};

use crate::backend::store_error::{StoreError, guard};
use crate::backend::table::Table;
use crate::catch_panic;

/// The contents of the database at one moment. The space of removed records cannot be reused before it is dropped.
pub(crate) struct Snapshot {
    pub(super) path: PathBuf,
    pub(super) transaction: Option<ReadTransaction>,
}

impl Snapshot {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn get(&self, table: Table, key: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = None;
        self.scan(table, key..=key, false, |_, record| {
            found = Some(record.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Calls `f` with every record of a range until it breaks.
    pub(crate) fn scan(
        &self,
        table: Table,
        keys: RangeInclusive<u64>,
        newest_first: bool,
        mut f: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        guard(&self.path, || {
            let Some(transaction) = &self.transaction else { return Err(redb::Error::DatabaseClosed) };
            let open = match transaction.open_table(table.definition()) {
                Ok(open) => open,
                // A table exists once it has had a record.
                Err(TableError::TableDoesNotExist(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let mut range = open.range(keys)?;
            loop {
                let next = if newest_first { range.next_back() } else { range.next() };
                let Some(entry) = next else { return Ok(()) };
                let (key, record) = entry?;
                if f(key.value(), record.value()).is_break() {
                    return Ok(());
                }
            }
        })
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let transaction = self.transaction.take();
        let _ = catch_panic::catch(|| drop(transaction));
    }
}
