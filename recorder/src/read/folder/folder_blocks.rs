//! The store in a folder as a source of blocks.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zerver_trace::SealedBy;

use crate::backend::read_store::ReadStore;
use crate::backend::store_dir::FileMark;
use crate::backend::store_error::StoreError;
use crate::backend::store_meta::StoreMeta;
use crate::backend::writer_lock::WriterLock;
use crate::format::FormatError;
use crate::read::blocks::{Blocks, BlocksView};
use crate::read::folder::folder_view::{FolderView, damaged};
use crate::read::read_error::ReadError;
use crate::secrets::data_key::{DataKey, id_text};
use crate::secrets::data_key_record::data_keys;
use crate::secrets::seal_error::SealError;
use crate::secrets::store_key::StoreKey;

/// Maximum time to wait for a store that a writer is just opening.
const PATIENCE: Duration = Duration::from_secs(1);

/// The store in a folder.
pub(crate) struct FolderBlocks {
    dir: PathBuf,
    store: ReadStore,
}

impl FolderBlocks {
    pub(crate) fn open(dir: &Path) -> Result<Self, ReadError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match ReadStore::open(dir) {
                Ok(store) => return Ok(Self { dir: dir.to_owned(), store }),
                // The writer is just opening the store.
                Err(
                    StoreError::NeedsRepair { .. }
                    | StoreError::Format { source: FormatError::Truncated { .. }, .. },
                ) if WriterLock::holder(dir).is_some() && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(crate) fn open_unrepaired(dir: &Path) -> Result<Self, ReadError> {
        Ok(Self { dir: dir.to_owned(), store: ReadStore::open_copy_on_write(dir)? })
    }

    pub(crate) fn folder_view(&self) -> Result<FolderView, ReadError> {
        let snapshot = self.store.snapshot()?;
        let meta = match StoreMeta::read(&snapshot)? {
            None => StoreMeta::default(),
            Some(Ok(meta)) => meta,
            Some(Err(error)) => return Err(damaged(&snapshot, "store metadata", &error)),
        };
        Ok(FolderView { snapshot, meta })
    }
}

impl Blocks for FolderBlocks {
    fn place(&self) -> String {
        self.dir.display().to_string()
    }

    fn dir(&self) -> Option<&Path> {
        Some(&self.dir)
    }

    fn view(&self) -> Result<Box<dyn BlocksView>, ReadError> {
        Ok(Box::new(self.folder_view()?))
    }

    fn data_key(&self, sealed_by: SealedBy) -> Result<DataKey, SealError> {
        let store = StoreKey::load(&self.dir)?;
        let SealedBy(Some(id)) = sealed_by else { return Ok(store.data_key()) };
        let bad_key = |reason: String| SealError::BadKey { path: store.path().to_owned(), reason };
        let snapshot = self.store.snapshot().map_err(|error| bad_key(ReadError::from(error).to_string()))?;
        let keys = data_keys(&snapshot).map_err(|error| bad_key(ReadError::from(error).to_string()))?;
        let sealed = keys.into_iter().map(|(_, sealed)| sealed).find(|sealed| sealed.id == id);
        let sealed = sealed.ok_or_else(|| bad_key(format!("the data key {} is missing", id_text(id))))?;
        sealed.open(&store).ok_or_else(|| SealError::WrongKey { key: store.path().display().to_string() })
    }

    fn is_in_place(&self) -> bool {
        self.store.is_in_place()
    }

    fn mark(&self) -> Option<FileMark> {
        self.store.mark()
    }
}
