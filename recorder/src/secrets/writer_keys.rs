//! The keys that a writer holds, and their way into its store.

use std::path::Path;

use crate::secrets::data_key::{DataKey, HashKey};
use crate::secrets::data_key_record::SealedDataKey;
use crate::secrets::seal_error::SealError;
use crate::secrets::secret_key::SecretKey;
use crate::secrets::store_key::StoreKey;

/// The key of a store, and the data key of the process if its service belongs to a fleet whose services share a hash key.
///
/// Blocks travel to a fleet unchanged, so a process seals with its data key from the start. The store keeps the data key
/// sealed under its own key: to read the store, no other file is needed than before, and a copy of the database alone reveals
/// nothing.
pub(crate) struct WriterKeys {
    store: StoreKey,
    process: Option<ProcessKey>,
}

struct ProcessKey {
    data: DataKey,
    hash: HashKey,
    sealed: SealedDataKey,
}

impl WriterKeys {
    /// Loads or creates the key of a store, and makes a data key if there is a hash key. Requires the lock of the store.
    pub(crate) fn open(dir: &Path, hash: Option<HashKey>) -> Result<Self, SealError> {
        let store = StoreKey::load_or_create(dir)?;
        let process = match hash {
            Some(hash) => {
                let data = DataKey::random().map_err(|error| no_key(&store, &error.to_string()))?;
                let sealed = sealed(&data, &store)?;
                Some(ProcessKey { data, hash, sealed })
            }
            None => None,
        };
        Ok(Self { store, process })
    }

    /// Returns the keys with which secrets are hidden.
    pub(crate) fn secret_key(&self) -> SecretKey {
        match &self.process {
            Some(ProcessKey { data, hash, .. }) => SecretKey::of_process(data.clone(), hash),
            None => self.store.secret_key(),
        }
    }

    /// Returns the data key as the store keeps it. It has to be committed with the first block that is sealed under it.
    pub(crate) fn sealed_data_key(&self) -> Option<&SealedDataKey> {
        self.process.as_ref().map(|process| &process.sealed)
    }

    /// Writes the key of the store to one whose key was removed. If the store has another key, that one is taken over, and
    /// true is returned. Requires the lock of the store.
    pub(crate) fn restore(&mut self, dir: &Path) -> Result<bool, SealError> {
        let Some(other) = self.store.restore(dir)? else { return Ok(false) };
        if let Some(process) = &mut self.process {
            process.sealed = sealed(&process.data, &other)?;
        }
        self.store = other;
        Ok(true)
    }
}

fn sealed(data: &DataKey, store: &StoreKey) -> Result<SealedDataKey, SealError> {
    SealedDataKey::new(data, store).ok_or_else(|| no_key(store, "no random numbers"))
}

fn no_key(store: &StoreKey, reason: &str) -> SealError {
    SealError::BadKey { path: store.path().to_owned(), reason: reason.to_owned() }
}
