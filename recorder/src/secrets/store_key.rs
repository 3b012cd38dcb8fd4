//! The key of a store, in a file next to it. It seals the secrets of the store, or the data keys under which they are sealed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chacha20poly1305::{ChaCha20Poly1305, KeyInit};

use crate::backend::store_dir;
use crate::regular_file;
use crate::secrets::data_key::{DataKey, KEY_LEN, open, random, seal};
use crate::secrets::seal_error::SealError;
use crate::secrets::secret_key::SecretKey;

/// Associated data of sealed data keys.
const PURPOSE: &[u8] = b"zerver data key 1";

/// The key of a store.
#[derive(Clone)]
pub(crate) struct StoreKey {
    path: PathBuf,
    /// The raw key, kept to restore the file if it is removed while secrets are sealed under it.
    bytes: [u8; KEY_LEN],
}

impl std::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreKey").field("path", &self.path).finish_non_exhaustive()
    }
}

impl StoreKey {
    pub(crate) fn load(dir: &Path) -> Result<Self, SealError> {
        let path = store_dir::key_file(dir);
        match regular_file::read(&path, KEY_LEN as u64) {
            Ok(bytes) => match <[u8; KEY_LEN]>::try_from(bytes) {
                Ok(bytes) => Ok(Self { path, bytes }),
                Err(bytes) => Err(bad_length(path, &bytes.len().to_string())),
            },
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(bad_length(path, "more than 32"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SealError::NoKey { path }),
            Err(error) => Err(SealError::BadKey { path, reason: error.to_string() }),
        }
    }

    /// Loads the key, and creates it if it is missing. Requires the lock of the store.
    pub(crate) fn load_or_create(dir: &Path) -> Result<Self, SealError> {
        match Self::load(dir) {
            Err(SealError::NoKey { path }) => {
                random()
                    .and_then(|bytes| create(dir, &path, &bytes))
                    .map_err(|error| SealError::BadKey { path, reason: error.to_string() })?;
                Self::load(dir)
            }
            loaded => {
                // A copied key may have the wrong mode.
                let _ = regular_file::open_private(&store_dir::key_file(dir));
                loaded
            }
        }
    }

    /// Writes this key to a store whose key was removed. Returns the key of the store if that is another one. Requires
    /// the lock of the store.
    pub(crate) fn restore(&self, dir: &Path) -> Result<Option<Self>, SealError> {
        match Self::load(dir) {
            Err(SealError::NoKey { path }) => match create(dir, &path, &self.bytes) {
                Ok(()) => Ok(None),
                Err(error) => Err(SealError::BadKey { path, reason: error.to_string() }),
            },
            Ok(found) if found.bytes == self.bytes => Ok(None),
            Ok(found) => Ok(Some(found)),
            Err(error) => Err(error),
        }
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the key for secrets that are sealed under this key itself.
    pub(crate) fn data_key(&self) -> DataKey {
        DataKey::new(self.bytes)
    }

    /// Returns the key with which a store that belongs to no fleet seals and hashes.
    pub(crate) fn secret_key(&self) -> SecretKey {
        SecretKey::of_store(self.data_key(), blake3::derive_key("zerver 2026-11 hash", &self.bytes))
    }

    /// Seals a data key under this one.
    pub(crate) fn seal_key(&self, key: &DataKey) -> Option<Vec<u8>> {
        seal(&self.cipher(), random().ok()?, key.bytes(), PURPOSE)
    }

    /// Opens a data key.
    pub(crate) fn open_key(&self, sealed: &[u8]) -> Option<DataKey> {
        Some(DataKey::new(open(&self.cipher(), sealed, PURPOSE)?.try_into().ok()?))
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&blake3::derive_key("zerver 2026-12 data keys", &self.bytes).into())
    }
}

fn bad_length(path: PathBuf, len: &str) -> SealError {
    SealError::BadKey { path, reason: format!("{len} bytes long instead of {KEY_LEN}") }
}

/// Creates the key under another name and renames it, so that it exists either whole or not at all.
fn create(dir: &Path, path: &Path, bytes: &[u8; KEY_LEN]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let _ = fs::remove_file(&aside);
    let mut file = regular_file::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    store_dir::sync_dir(dir)
}
