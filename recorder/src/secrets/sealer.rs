//! Seals values under the key of a store. Must not decide what is a secret.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use zerver_trace::{Masked, MissingReason, Recorded, Value};

use crate::format::codec;
use crate::secrets::data_key::{NONCE_LEN, PURPOSE, seal};
use crate::secrets::secret_key::SecretKey;

/// Size of the sealed values that are kept for reuse, in bytes, from which on those that were not used lately are forgotten.
const REMEMBERED_BYTES: usize = 1 << 20;
/// Maximum length of a sealed value that is kept for reuse.
const MAX_REMEMBERED: usize = 4096;

/// Seals values under one key.
pub(crate) struct Sealer {
    key: SecretKey,
    /// Random bytes from the kernel, from which nonces are taken.
    random: Vec<u8>,
    /// Sealed values by the hash of their contents. Equal values share one seal, which makes blocks smaller. Their
    /// hashes reveal that they are equal anyway.
    remembered: Remembered,
}

/// Sealed values in two generations. A value that is used moves to the newer one; once that is large enough, the older one
/// is forgotten.
#[derive(Default)]
struct Remembered {
    newer: HashMap<[u8; 16], Vec<u8>, BuildHasherDefault<FirstBytes>>,
    older: HashMap<[u8; 16], Vec<u8>, BuildHasherDefault<FirstBytes>>,
    /// Size of the newer generation.
    bytes: usize,
}

impl Remembered {
    fn get(&mut self, name: &[u8; 16]) -> Option<Vec<u8>> {
        if let Some(sealed) = self.newer.get(name) {
            return Some(sealed.clone());
        }
        let sealed = self.older.remove(name)?;
        self.insert(*name, sealed.clone());
        Some(sealed)
    }

    fn insert(&mut self, name: [u8; 16], sealed: Vec<u8>) {
        if self.bytes >= REMEMBERED_BYTES {
            self.older = std::mem::take(&mut self.newer);
            self.bytes = 0;
        }
        self.bytes += sealed.len() + size_of::<([u8; 16], Vec<u8>)>();
        self.newer.insert(name, sealed);
    }
}

/// Hasher for keys that begin with a keyed hash.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }
}

impl Sealer {
    pub(crate) fn new(key: SecretKey) -> Self {
        Self { key, random: Vec::new(), remembered: Remembered::default() }
    }

    pub(crate) const fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Seals a value; `masked` is its masked form.
    pub(crate) fn seal(&mut self, value: &Value, summary: Option<&str>, masked: Option<Masked>) -> Recorded {
        let hash = self.key.hash(value.tokens());
        let plain = codec::encode((value, summary));
        let name = if summary.is_some() { self.key.hash(&plain) } else { hash };
        let sealed = match self.remembered.get(&name) {
            Some(sealed) => sealed,
            None => match self.encrypt(&plain) {
                Some(sealed) => {
                    if sealed.len() <= MAX_REMEMBERED {
                        self.remembered.insert(name, sealed.clone());
                    }
                    sealed
                }
                None => return Recorded::Missing(MissingReason::Failed("could not be sealed".to_owned())),
            },
        };
        Recorded::Sealed { hash, sealed, masked: masked.map(Box::new) }
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
        seal(&self.key.data.cipher, nonce, plain, PURPOSE)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::backend::store_dir;
    use crate::secrets::seal_error::SealError;
    use crate::secrets::store_key::StoreKey;

    #[test]
    fn a_sealed_value_opens_under_its_own_key_only() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut sealer = Sealer::new(StoreKey::load_or_create(one.path()).unwrap().secret_key());
        let value = Value::from_serialize("hunter2 hunter2").unwrap();
        let sealed = sealer.seal(&value, Some("a line"), None);
        let again = StoreKey::load(one.path()).unwrap().data_key().unseal(&sealed).unwrap();
        assert_eq!(again, Recorded::Plain { value: value.clone(), summary: Some("a line".to_owned()) });

        let other = StoreKey::load_or_create(two.path()).unwrap().data_key();
        assert!(matches!(other.unseal(&sealed), Err(SealError::WrongKey { .. })));
        let Recorded::Sealed { hash, mut sealed, masked } = sealed else { panic!("not sealed") };
        assert!(memchr::memmem::find(&sealed, b"hunter2").is_none());
        *sealed.last_mut().unwrap() ^= 1;
        let damaged = Recorded::Sealed { hash, sealed, masked };
        assert!(matches!(sealer.key().data.unseal(&damaged), Err(SealError::WrongKey { .. })));
        let mode = fs::metadata(store_dir::key_file(one.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn equal_values_have_equal_hashes_and_no_nonce_is_reused() {
        let dir = tempfile::tempdir().unwrap();
        let mut sealer = Sealer::new(StoreKey::load_or_create(dir.path()).unwrap().secret_key());
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
