//! Claims of keys, wherever those are kept.

use serde::{Deserialize, Serialize};
use zerver_engine::{Effect, Response};

use super::kept_response::Kept;
use super::policy::Policy;
use super::{kv_keys, sql_keys};
use crate::config::KeyStore;

/// A key and the request that uses it.
#[derive(Debug, Clone)]
pub(super) struct KeyUse {
    /// Hash of whose key it is. Empty if all share their keys.
    pub(super) owner: String,
    pub(super) key: String,
    /// Hash of the method, the target and the body.
    pub(super) fingerprint: String,
}

/// Outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Claim {
    /// The request has no key.
    NoKey,
    /// The request is the first with its key.
    New,
    /// The key was used with another request.
    OtherRequest,
    /// The first request with this key is still running.
    Running,
    /// The first request with this key has ended.
    Known(Kept),
}

impl Claim {
    /// Returns the outcome for a key that another request has claimed.
    pub(super) fn of_other(wanted: &str, fingerprint: &str, kept: Option<Kept>) -> Self {
        match kept {
            _ if fingerprint != wanted => Self::OtherRequest,
            None => Self::Running,
            Some(kept) => Self::Known(kept),
        }
    }
}

/// Claims the key for the request, unless another request has it.
pub(super) fn claim(policy: &Policy, used: &KeyUse) -> Effect<Claim> {
    match policy.store {
        KeyStore::Kv => kv_keys::claim(policy, used),
        KeyStore::Sql => sql_keys::claim(policy, used),
    }
}

/// Keeps the response of the request that has claimed the key, or gives the key back.
pub(super) fn conclude(policy: &Policy, used: &KeyUse, response: Option<&Response>) -> Effect<()> {
    let kept = response.map(Kept::new);
    match policy.store {
        KeyStore::Kv => kv_keys::conclude(policy, used, kept),
        KeyStore::Sql => sql_keys::conclude(policy, used, kept),
    }
}
