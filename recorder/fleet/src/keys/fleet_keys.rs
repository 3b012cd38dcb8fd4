//! Makes and lists the keys of a fleet.

use std::path::Path;

use zerver_recorder::HashKey;

use crate::bucket;
use crate::fleet_error::FleetError;
use crate::fleet_url::{FleetUrl, Location};
use crate::keys::key_file::{KeyFileError, create_hash_key, read_hash_key, write_private};
use crate::keys::key_status::{FleetKeyStatus, OfferedKey};
use crate::keys::pair::{KeyId, PrivateKey};
use crate::keys::wrapped_key::WrappedKey;
use crate::postgres;

/// Result of making a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewKey {
    /// Id of the key.
    pub id: KeyId,
    /// True if the hash key was made, too, and services need its file.
    pub is_new_hash_key: bool,
    /// True if the fleet had another hash key before, so that services have to get the new one.
    pub is_replaced_hash_key: bool,
}

/// Makes a pair of keys: the private half goes to a new file of mode 0600, the public one to the fleet, together with a proof by
/// the hash key, so that services accept no other. The file of the hash key is made if there is none and the fleet has no key yet,
/// or if `replaces_hash_key`.
///
/// # Errors
/// If a file cannot be written, the fleet cannot be reached, or the fleet has another hash key. No file is overwritten.
pub fn create_key(
    url: &FleetUrl,
    private: &Path,
    hash: &Path,
    replaces_hash_key: bool,
) -> Result<NewKey, FleetError> {
    let current = current_key(url)?;
    let is_ours = |key: &HashKey| {
        current.as_ref().is_none_or(|there| key.has_proved(there.public.bytes(), &there.proof))
    };
    let has_keys = current.is_some();
    let (hash_key, is_new_hash_key) = match read_hash_key(hash) {
        Ok(key) if is_ours(&key) || replaces_hash_key => (key, false),
        Ok(_) => return Err(other_hash_key(url, hash, "is the hash key of another fleet")),
        Err(error) if !error.is_missing => return Err(unusable(&error)),
        Err(_) if has_keys && !replaces_hash_key => {
            return Err(other_hash_key(url, hash, "does not exist, and the fleet has a hash key"));
        }
        Err(_) => (create_hash_key(hash, url.namespace()).map_err(|error| unusable(&error))?, true),
    };
    let is_replaced_hash_key = !is_ours(&hash_key);
    let pair = PrivateKey::random().map_err(|error| FleetError::passing(error.to_string()))?;
    let id = pair.public().id();
    let made = write_private(private, &pair, url.namespace()).map_err(|error| unusable(&error));
    if made.is_err() && is_new_hash_key {
        let _ = std::fs::remove_file(hash);
    }
    made?;
    let offered = OfferedKey { proof: hash_key.prove(pair.public().bytes()), public: pair.public().clone() };
    if let Err(error) = offer_key(url, &offered) {
        return Err(not_offered(url, id, private, hash, is_new_hash_key, error));
    }
    Ok(NewKey { id, is_new_hash_key, is_replaced_hash_key })
}

/// Removes the new files if the fleet certainly does not have the key.
fn not_offered(
    url: &FleetUrl,
    id: KeyId,
    private: &Path,
    hash: &Path,
    is_new_hash_key: bool,
    error: FleetError,
) -> FleetError {
    match keys(url) {
        Ok(there) if there.iter().all(|key| key.id != id) => {
            let _ = std::fs::remove_file(private);
            if is_new_hash_key {
                let _ = std::fs::remove_file(hash);
            }
            error
        }
        _ => FleetError::lasting(
            format!("it is not known whether the fleet has the key {id}: {}", error.reason),
            format!(
                "`zerver fleet key list` tells; keep {} if it does, and remove it if it does not",
                private.display()
            ),
        ),
    }
}

fn other_hash_key(url: &FleetUrl, hash: &Path, what: &str) -> FleetError {
    FleetError::lasting(
        format!("{} {what}", hash.display()),
        format!(
            "name the file of the hash key that the services of {} have; without it, --new-hash-key replaces it, and services \
             need the new one",
            url.namespace()
        ),
    )
}

fn unusable(error: &KeyFileError) -> FleetError {
    FleetError { reason: error.to_string(), hint: None, is_passing: false }
}

/// Lists the public keys of a fleet, the current one first.
///
/// # Errors
/// If the fleet cannot be read.
pub fn keys(url: &FleetUrl) -> Result<Vec<FleetKeyStatus>, FleetError> {
    match &url.location {
        Location::Postgres(url) => postgres::keys::keys(url),
        Location::Bucket(url) => bucket::keys::keys(url),
    }
}

fn current_key(url: &FleetUrl) -> Result<Option<OfferedKey>, FleetError> {
    match &url.location {
        Location::Postgres(url) => postgres::keys::current_key(url),
        Location::Bucket(url) => bucket::keys::current_key(url),
    }
}

fn offer_key(url: &FleetUrl, key: &OfferedKey) -> Result<(), FleetError> {
    match &url.location {
        Location::Postgres(url) => postgres::keys::offer_key(url, key),
        Location::Bucket(url) => bucket::keys::offer_key(url, key),
    }
}

/// Unwraps a data key with the private keys in a file, for a command that does so elsewhere. Takes and returns a line of
/// hexadecimal digits.
///
/// # Errors
/// If the line is no wrapped key, or no key in the file opens it.
pub fn unwrap_line(line: &str, private: &Path) -> Result<String, FleetError> {
    let lasting = |reason: String| FleetError { reason, hint: None, is_passing: false };
    let wrapped = WrappedKey::from_line(line).ok_or_else(|| {
        lasting("the input is no wrapped key, which is a line of 194 hexadecimal digits".to_owned())
    })?;
    let keys = crate::keys::key_file::read_private(private).map_err(|error| unusable(&error))?;
    let to = wrapped.wrapped_for();
    let key = keys.iter().find(|key| key.public().id() == to);
    let key = key.ok_or_else(|| lasting(format!("{} lacks the private half of {to}", private.display())))?;
    let open = wrapped.open(key);
    let open =
        open.ok_or_else(|| lasting(format!("the private half of {to} does not open it: it was changed")))?;
    Ok(format!("{}\n", super::hex::encode(open.bytes())))
}
