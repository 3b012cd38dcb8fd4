//! Keys that lie in no file of their own: the one under which a process seals, and the one that the services of a fleet share.

use std::io;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use zerver_trace::Recorded;

use crate::format::codec;
use crate::secrets::seal_error::SealError;

pub(super) const KEY_LEN: usize = 32;
pub(super) const NONCE_LEN: usize = 12;
/// Associated data of every sealed value, so that data sealed for another purpose does not open here.
pub(super) const PURPOSE: &[u8] = b"zerver recorded value 1";

/// A key under which values are sealed. Its holder can read them.
#[derive(Clone)]
pub struct DataKey {
    bytes: [u8; KEY_LEN],
    pub(super) cipher: ChaCha20Poly1305,
    id: [u8; 8],
}

impl DataKey {
    /// Returns the key with these bytes.
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        let cipher = blake3::derive_key("zerver 2026-11 seal", &bytes);
        let id = short(&blake3::derive_key("zerver 2026-11 key id", &bytes));
        Self { bytes, cipher: ChaCha20Poly1305::new(&cipher.into()), id }
    }

    /// Makes a key.
    pub(crate) fn random() -> io::Result<Self> {
        random().map(Self::new)
    }

    /// Returns an identifier that does not reveal the key.
    pub const fn id(&self) -> [u8; 8] {
        self.id
    }

    /// Returns the secret bytes, to be wrapped.
    pub const fn bytes(&self) -> &[u8; KEY_LEN] {
        &self.bytes
    }

    /// Opens a sealed value. Any other value is returned unchanged.
    pub(crate) fn unseal(&self, recorded: &Recorded) -> Result<Recorded, SealError> {
        let wrong = || SealError::WrongKey { key: id_text(self.id) };
        match recorded {
            Recorded::Plain { .. } | Recorded::Missing(_) => Ok(recorded.clone()),
            Recorded::Hashed { .. } => Err(SealError::Exported),
            Recorded::Sealed { sealed, .. } => {
                let plain = open(&self.cipher, sealed, PURPOSE).ok_or_else(wrong)?;
                let (value, summary) = codec::decode(&plain).map_err(|_| wrong())?;
                Ok(Recorded::Plain { value, summary })
            }
        }
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DataKey").field(&id_text(self.id)).finish()
    }
}

/// A key that the services of a fleet share, so that equal secrets have equal hashes and masks wherever they were recorded.
/// It opens nothing, but its holder can try values that a secret may have.
#[derive(Clone)]
pub struct HashKey([u8; KEY_LEN]);

impl HashKey {
    /// Returns the key with these bytes.
    pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// Returns an identifier that does not reveal the key.
    pub fn id(&self) -> [u8; 8] {
        short(&blake3::derive_key("zerver 2026-12 hash key id", &self.0))
    }

    /// Returns the key for hashes of secrets.
    pub(super) fn for_secrets(&self) -> [u8; KEY_LEN] {
        blake3::derive_key("zerver 2026-12 fleet hash", &self.0)
    }

    /// Returns a code that only a holder of this key can make for a public key.
    pub fn prove(&self, public: &[u8]) -> [u8; KEY_LEN] {
        let key = blake3::derive_key("zerver 2026-12 public key", &self.0);
        *blake3::keyed_hash(&key, public).as_bytes()
    }

    /// Returns true if a holder of this key has made the code for a public key. Takes the same time for every code.
    pub fn has_proved(&self, public: &[u8], proof: &[u8; KEY_LEN]) -> bool {
        blake3::Hash::from_bytes(self.prove(public)) == blake3::Hash::from_bytes(*proof)
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HashKey").field(&id_text(self.id())).finish()
    }
}

/// Returns the id of a key as it is shown: 16 hexadecimal digits.
pub(crate) fn id_text(id: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(id))
}

pub(super) fn short(bytes: &[u8; KEY_LEN]) -> [u8; 8] {
    let mut id = [0; 8];
    id.copy_from_slice(&bytes[..8]);
    id
}

pub(super) fn random<const LEN: usize>() -> io::Result<[u8; LEN]> {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Opens a nonce and what was encrypted with it.
pub(super) fn open(cipher: &ChaCha20Poly1305, sealed: &[u8], purpose: &[u8]) -> Option<Vec<u8>> {
    let (nonce, msg) = sealed.split_first_chunk::<NONCE_LEN>()?;
    cipher.decrypt(&(*nonce).into(), Payload { msg, aad: purpose }).ok()
}

/// Encrypts with a nonce, and returns both.
pub(super) fn seal(
    cipher: &ChaCha20Poly1305,
    nonce: [u8; NONCE_LEN],
    msg: &[u8],
    purpose: &[u8],
) -> Option<Vec<u8>> {
    let sealed = cipher.encrypt(&nonce.into(), Payload { msg, aad: purpose }).ok()?;
    Some([&nonce[..], &sealed].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_holder_of_the_hash_key_proves_a_public_key() {
        let (key, other) = (HashKey::new([1; 32]), HashKey::new([2; 32]));
        let proof = key.prove(b"public");
        assert!(key.has_proved(b"public", &proof));
        assert!(!key.has_proved(b"publik", &proof) && !other.has_proved(b"public", &proof));
        assert!(key.id() != other.id() && key.for_secrets() != proof);
    }

    #[test]
    fn keys_do_not_show_themselves() {
        let shown = format!("{:?} {:?}", DataKey::new([7; 32]), HashKey::new([7; 32]));
        assert!(!shown.contains("7, 7") && !shown.contains("0707"), "{shown}");
    }
}
