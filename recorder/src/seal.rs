//! Secrets: sealed with ChaCha20-Poly1305 (RFC 8439) under the key beside the store, and hashed with keyed BLAKE3, so
//! that equal secrets compare equal without being read. Knows how to seal, not what is a secret.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use thiserror::Error;
use zerver_trace::{Masked, MissingReason, Recorded, Value};

use crate::{format, place, regular_file};

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;
/// Bound to every sealed value, so that nothing sealed for another purpose opens here.
const PURPOSE: &[u8] = b"zerver recorded value 1";
/// How many sealed values are remembered, to be used again for an equal value.
const REMEMBERED: usize = 1024;

/// Why a secret could not be read.
#[derive(Debug, Error)]
pub enum SealError {
    /// The key is not there.
    #[error("the key {} is not there; secrets can be read only where they were recorded", path.display())]
    NoKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// The key cannot be used.
    #[error("the key {} cannot be used: {why}", path.display())]
    BadKey {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// It was sealed under another key, or changed since.
    #[error("the secret was sealed under another key than {}, or it was damaged", path.display())]
    WrongKey {
        /// The key that was tried.
        path: PathBuf,
    },
    /// The trace was exported, and a hash is all that is left of it.
    #[error("the secret was left out when the trace was exported; use the store that recorded it")]
    Exported,
}

/// The key beside a store.
#[derive(Clone)]
pub(crate) struct Key {
    path: PathBuf,
    /// To be written again, should the file vanish while secrets are sealed under it.
    bytes: [u8; KEY_LEN],
    cipher: ChaCha20Poly1305,
    hash: [u8; 32],
    id: [u8; 8],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Key {
    pub(crate) fn load(dir: &Path) -> Result<Self, SealError> {
        let path = place::key_file(dir);
        match regular_file::read(&path, KEY_LEN as u64) {
            Ok(bytes) => match <[u8; KEY_LEN]>::try_from(bytes) {
                Ok(bytes) => Ok(Self::new(path, &bytes)),
                Err(bytes) => Err(bad_length(path, &bytes.len().to_string())),
            },
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(bad_length(path, "more")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SealError::NoKey { path }),
            Err(error) => Err(SealError::BadKey { path, why: error.to_string() }),
        }
    }

    /// For the holder of the lock: makes the key if it is not there.
    pub(crate) fn load_or_make(dir: &Path) -> Result<Self, SealError> {
        match Self::load(dir) {
            Err(SealError::NoKey { path }) => {
                random()
                    .and_then(|bytes| make(dir, &path, &bytes))
                    .map_err(|error| SealError::BadKey { path, why: error.to_string() })?;
                Self::load(dir)
            }
            loaded => {
                // It may have been copied here by somebody careless.
                let _ = regular_file::open_private(&place::key_file(dir));
                loaded
            }
        }
    }

    /// For the holder of the lock of a folder whose key may have vanished since this one was loaded: puts this key there
    /// again where there is none. The key that is there afterwards, if it is another.
    pub(crate) fn restore(&self, dir: &Path) -> Result<Option<Self>, SealError> {
        match Self::load(dir) {
            Err(SealError::NoKey { path }) => match make(dir, &path, &self.bytes) {
                Ok(()) => Ok(None),
                Err(error) => Err(SealError::BadKey { path, why: error.to_string() }),
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

    /// Names the key without telling it.
    pub(crate) const fn id(&self) -> [u8; 8] {
        self.id
    }

    fn hash(&self, bytes: &[u8]) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::keyed_hash(&self.hash, bytes).as_bytes()[..16]);
        short
    }

    /// What is shown in the place of a secret.
    pub(crate) fn mask(&self, secret: &[u8]) -> String {
        let hash = u128::from_be_bytes(self.hash(secret));
        format!("<secret:{:012x}>", hash >> 80)
    }

    /// Opens what [`Sealer::seal`] sealed; anything that is no secret stays as it is.
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
                let (value, summary) = format::decode(&plain).map_err(|_| wrong())?;
                Ok(Recorded::Plain { value, summary })
            }
        }
    }
}

fn bad_length(path: PathBuf, len: &str) -> SealError {
    SealError::BadKey { path, why: format!("it has {len} bytes, not {KEY_LEN}") }
}

fn random() -> io::Result<[u8; KEY_LEN]> {
    let mut bytes = [0; KEY_LEN];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Written aside and renamed, so that a key is there whole or not at all.
fn make(dir: &Path, path: &Path, bytes: &[u8; KEY_LEN]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let _ = fs::remove_file(&aside);
    let mut file = regular_file::make(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    place::sync_dir(dir)
}

/// Seals values one after another.
pub(crate) struct Sealer {
    key: Key,
    /// Random bytes, taken from the kernel many at a time.
    random: Vec<u8>,
    /// Equal values are sealed once: that they are equal, their hashes tell anyway, and a block shrinks by it.
    remembered: HashMap<[u8; 16], Vec<u8>>,
}

impl Sealer {
    pub(crate) fn new(key: Key) -> Self {
        Self { key, random: Vec::new(), remembered: HashMap::new() }
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    /// The value sealed; `shown` is what may be seen of it.
    pub(crate) fn seal(&mut self, value: &Value, summary: Option<&str>, shown: Option<Masked>) -> Recorded {
        let hash = self.key.hash(value.tokens());
        let plain = format::encode((value, summary));
        let name = if summary.is_some() { self.key.hash(&plain) } else { hash };
        let sealed = match self.remembered.get(&name) {
            Some(sealed) => sealed.clone(),
            None => match self.encrypt(&plain) {
                Some(sealed) => {
                    if self.remembered.len() >= REMEMBERED {
                        self.remembered.clear();
                    }
                    if sealed.len() <= 4096 {
                        self.remembered.insert(name, sealed.clone());
                    }
                    sealed
                }
                None => return Recorded::Missing(MissingReason::Failed("could not be sealed".to_owned())),
            },
        };
        Recorded::Sealed { hash, sealed, masked: shown.map(Box::new) }
    }

    fn encrypt(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        if self.random.len() < NONCE_LEN {
            self.random.resize(NONCE_LEN * 64, 0);
            if getrandom::fill(&mut self.random).is_err() {
                self.random.clear();
                return None;
            }
        }
        let nonce: [u8; NONCE_LEN] = *self.random.last_chunk()?;
        self.random.truncate(self.random.len() - NONCE_LEN);
        let sealed = self.key.cipher.encrypt(&nonce.into(), Payload { msg: plain, aad: PURPOSE }).ok()?;
        Some([&nonce[..], &sealed].concat())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_only() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut sealer = Sealer::new(Key::load_or_make(one.path()).unwrap());
        let value = Value::from_serialize("hunter2 hunter2").unwrap();
        let sealed = sealer.seal(&value, Some("a line"), None);
        let again = Key::load(one.path()).unwrap().unseal(&sealed).unwrap();
        assert_eq!(again, Recorded::Plain { value: value.clone(), summary: Some("a line".to_owned()) });

        let other = Key::load_or_make(two.path()).unwrap();
        assert!(matches!(other.unseal(&sealed), Err(SealError::WrongKey { .. })));
        let Recorded::Sealed { hash, mut sealed, masked: shown } = sealed else { panic!("not sealed") };
        assert!(memchr::memmem::find(&sealed, b"hunter2").is_none());
        *sealed.last_mut().unwrap() ^= 1;
        let damaged = Recorded::Sealed { hash, sealed, masked: shown };
        assert!(matches!(sealer.key.unseal(&damaged), Err(SealError::WrongKey { .. })));
        let mode = fs::metadata(place::key_file(one.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn equal_values_have_equal_hashes_and_nonces_are_not_used_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut sealer = Sealer::new(Key::load_or_make(dir.path()).unwrap());
        let mut seen = std::collections::HashSet::new();
        for n in 0..3_000u32 {
            let Recorded::Sealed { sealed, .. } =
                sealer.seal(&Value::from_serialize(&n).unwrap(), None, None)
            else {
                panic!()
            };
            assert!(seen.insert(sealed[..NONCE_LEN].to_vec()));
        }
        let (a, b) = (Value::from_serialize("a").unwrap(), Value::from_serialize("b").unwrap());
        let hash = |recorded| match recorded {
            Recorded::Sealed { hash, .. } => hash,
            _ => panic!("not sealed"),
        };
        assert_eq!(hash(sealer.seal(&a, None, None)), hash(sealer.seal(&a, None, None)));
        assert_ne!(hash(sealer.seal(&a, None, None)), hash(sealer.seal(&b, None, None)));
    }
}
