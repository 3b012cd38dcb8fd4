//! The keys with which a recorder hides secrets.
//!
//! Secrets are sealed with ChaCha20-Poly1305 (RFC 8439), and hashed with keyed BLAKE3, so that equal secrets can be
//! recognized without being read.

use zerver_trace::SealedBy;

use crate::secrets::data_key::{DataKey, HashKey, KEY_LEN};

/// The keys with which a recorder hides secrets: one to seal them, and one to hash them.
#[derive(Debug, Clone)]
pub(crate) struct SecretKey {
    pub(super) data: DataKey,
    hash: [u8; KEY_LEN],
    hash_id: [u8; 8],
    sealed_by: SealedBy,
}

impl SecretKey {
    /// Returns the keys of a store that belongs to no fleet.
    pub(super) const fn of_store(data: DataKey, hash: [u8; KEY_LEN]) -> Self {
        let hash_id = data.id();
        Self { data, hash, hash_id, sealed_by: SealedBy(None) }
    }

    /// Returns the keys of a process whose service belongs to a fleet: the data key is its own.
    pub(crate) fn of_process(data: DataKey, hash: &HashKey) -> Self {
        let sealed_by = SealedBy(Some(data.id()));
        Self { data, hash: hash.for_secrets(), hash_id: hash.id(), sealed_by }
    }

    /// Returns an identifier of the hashes, which can be compared with those under the same one. It does not reveal the key.
    pub(crate) const fn hash_id(&self) -> [u8; 8] {
        self.hash_id
    }

    /// Returns the key under which secrets are sealed, as traces name it.
    pub(crate) const fn sealed_by(&self) -> SealedBy {
        self.sealed_by
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
}
