//! Keys in the key-value store of the service.

use serde::{Deserialize, Serialize};
use zerver_engine::Effect;

use super::claim::{Claim, KeyUse};
use super::kept_response::Kept;
use super::policy::Policy;
use crate::effects::kv;

/// Entry of the store for a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Hash of the method, the target and the body of the first request.
    fingerprint: String,
    /// `None` while the first request runs.
    kept: Option<Kept>,
}

pub(super) fn claim(policy: &Policy, used: &KeyUse) -> Effect<Claim> {
    let fingerprint = used.fingerprint.clone();
    let entry = Entry { fingerprint: fingerprint.clone(), kept: None };
    kv::expires_in(policy.lease()).put_if_absent(store_key(used), entry).map(move |put| match put {
        kv::Put::Stored => Claim::New,
        kv::Put::Existing(entry) => Claim::of_other(&fingerprint, &entry.fingerprint, entry.kept),
    })
}

pub(super) fn conclude(policy: &Policy, used: &KeyUse, kept: Option<Kept>) -> Effect<()> {
    let key = store_key(used);
    if kept.is_none() {
        return kv::delete(key).map(|_| ());
    }
    kv::expires_in(policy.keep()).put(key, Entry { fingerprint: used.fingerprint.clone(), kept })
}

fn store_key(used: &KeyUse) -> kv::Key {
    kv::Key::from("zerver-idempotency").with(used.owner.clone()).with(used.key.clone())
}
