//! The key of a store.
//!
//! Secrets are sealed with ChaCha20-Poly1305 (RFC 8439), and hashed with keyed BLAKE3, so that equal secrets can be
//! recognized without being read.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use thiserror::Error;
use zerver_trace::Recorded;

use crate::backend::store_dir;
use crate::{format::codec, regular_file};

const KEY_LEN: usize = 32;
pub(super) const NONCE_LEN: usize = 12;
/// Associated data of every seal, so that data sealed for another purpose does not open here.
pub(super) const PURPOSE: &[u8] = b"zerver recorded value 1";

/// The reason why a secret could not be read.
#[derive(Debug, Error)]
pub enum SealError {
    /// The key is missing.
    #[error("the key {} is missing; secrets can be read only with the store that recorded them", path.display())]
    NoKey {
        /// Expected path of the key.
        path: PathBuf,
    },
    /// The key cannot be used.
    #[error("the key {} cannot be used: {reason}", path.display())]
    BadKey {
        /// Path of the key.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The secret was sealed under another key, or damaged.
    #[error("the secret was not sealed under the key {}, or it was damaged", path.display())]
    WrongKey {
        /// Path of the key that was tried.
        path: PathBuf,
    },
    /// The key is on the node that recorded the trace, and is never sent to a fleet.
    #[error(
        "the key of these secrets stays on the node that recorded them, and {place} has only sealed values; use the store of that node"
    )]
    Elsewhere {
        /// Name of the database of the fleet, without a password.
        place: String,
    },
    /// The trace was exported, and only hashes of its secrets are left.
    #[error("the trace was exported without its secrets; use the store that recorded it")]
    Exported,
}

/// The key of a store.
#[derive(Clone)]
pub(crate) struct SecretKey {
    path: PathBuf,
    /// The raw key, kept to restore the file if it is removed while secrets are sealed under it.
    bytes: [u8; KEY_LEN],
    pub(super) cipher: ChaCha20Poly1305,
    hash: [u8; 32],
    id: [u8; 8],
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretKey").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SecretKey {
    pub(crate) fn load(dir: &Path) -> Result<Self, SealError> {
        let path = store_dir::key_file(dir);
        match regular_file::read(&path, KEY_LEN as u64) {
            Ok(bytes) => match <[u8; KEY_LEN]>::try_from(bytes) {
                Ok(bytes) => Ok(Self::new(path, &bytes)),
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

    fn new(path: PathBuf, bytes: &[u8; KEY_LEN]) -> Self {
        let cipher = blake3::derive_key("zerver 2026-11 seal", bytes);
        let mut id = [0; 8];
        id.copy_from_slice(&blake3::derive_key("zerver 2026-11 key id", bytes)[..8]);
        Self {
            path,
            bytes: *bytes,
            cipher: ChaCha20Poly1305::new(&cipher.into()),
            hash: blake3::derive_key("zerver 2026-11 hash", bytes),
            id,
        }
    }

    /// Returns an identifier that does not reveal the key.
    pub(crate) const fn id(&self) -> [u8; 8] {
        self.id
    }

    pub(super) fn hash(&self, bytes: &[u8]) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::keyed_hash(&self.hash, bytes).as_bytes()[..16]);
        short
    }

    /// Returns the mask that is shown in the place of a secret.
    pub(crate) fn mask(&self, secret: &[u8]) -> String {
        let hash = u128::from_be_bytes(self.hash(secret));
        format!("<secret:{:012x}>", hash >> 80)
    }

    /// Opens a sealed value. Any other value is returned unchanged.
    pub(crate) fn unseal(&self, recorded: &Recorded) -> Result<Recorded, SealError> {
        let wrong = || SealError::WrongKey { path: self.path.clone() };
        match recorded {
            Recorded::Plain { .. } | Recorded::Missing(_) => Ok(recorded.clone()),
            Recorded::Hashed { .. } => Err(SealError::Exported),
            Recorded::Sealed { sealed, .. } => {
                let (nonce, msg) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
                let plain = self
                    .cipher
                    .decrypt(&(*nonce).into(), Payload { msg, aad: PURPOSE })
                    .map_err(|_| wrong())?;
                let (value, summary) = codec::decode(&plain).map_err(|_| wrong())?;
                Ok(Recorded::Plain { value, summary })
            }
        }
    }
}

fn bad_length(path: PathBuf, len: &str) -> SealError {
    SealError::BadKey { path, reason: format!("{len} bytes long instead of {KEY_LEN}") }
}

fn random() -> io::Result<[u8; KEY_LEN]> {
    let mut bytes = [0; KEY_LEN];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
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
