//! The blocks of a fleet in a database, and those of its archive, if it has one.

use std::sync::{Arc, Mutex, PoisonError};

use zerver_recorder::{BlocksView, ReadError};

use crate::archive::archived_view::ArchivedView;
use crate::bucket::bucket_url::BucketUrl;
use crate::bucket::read::bucket_blocks::BucketBlocks;
use crate::fleet_blocks::SealedBlocks;
use crate::keys::pair::KeyId;
use crate::postgres::postgres_blocks::PostgresBlocks;
use crate::postgres::postgres_url::PostgresUrl;

/// The blocks of a database and of its archive.
pub(crate) struct ArchivedBlocks {
    recent: PostgresBlocks,
    archive: Arc<OpenArchive>,
}

impl ArchivedBlocks {
    /// Connects to the database.
    pub(crate) fn open(url: &PostgresUrl) -> Result<Self, ReadError> {
        let archive = OpenArchive { url: url.clone(), open: Mutex::new(None) };
        Ok(Self { recent: PostgresBlocks::open(url)?, archive: Arc::new(archive) })
    }
}

impl SealedBlocks for ArchivedBlocks {
    fn place(&self) -> String {
        self.recent.place()
    }

    fn view(&self) -> Result<Box<dyn BlocksView>, ReadError> {
        Ok(Box::new(ArchivedView::new(self.recent.view_now()?, Arc::clone(&self.archive))))
    }

    /// The database keeps the keys of what was moved.
    fn wrapped_key(&self, id: KeyId) -> Result<Option<Vec<u8>>, ReadError> {
        self.recent.wrapped_key(id)
    }
}

/// The archive, which is opened when something in it is asked for.
pub(super) struct OpenArchive {
    url: PostgresUrl,
    open: Mutex<Option<(String, Arc<BucketBlocks>)>>,
}

impl OpenArchive {
    /// Opens the archive with this URL, unless it is open.
    pub(super) fn open(&self, url: &str) -> Result<Arc<BucketBlocks>, ReadError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, blocks)) = open.as_ref().filter(|(known, _)| known == url) {
            return Ok(Arc::clone(blocks));
        }
        let bucket = BucketUrl::parse(url, &|name| self.url.variables.get(name).cloned());
        let bucket = bucket.map_err(|error| ReadError::Fleet {
            place: self.url.to_string(),
            reason: format!("cannot read its archive: {error}"),
            hint: None,
        })?;
        let blocks = BucketBlocks::open(&bucket).map_err(|error| match error {
            ReadError::Fleet { place, reason, hint } => {
                let hint = hint.map_or_else(String::new, |hint| format!("{hint}; "));
                let hint = Some(format!("{hint}to read the database alone, add archive=off to its URL"));
                ReadError::Fleet { place, reason: format!("cannot read the archive: {reason}"), hint }
            }
            other => other,
        })?;
        let blocks = Arc::new(blocks);
        *open = Some((url.to_owned(), Arc::clone(&blocks)));
        Ok(blocks)
    }
}
