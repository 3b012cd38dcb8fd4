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
    /// Identifies the request that has claimed the key.
    claim: String,
    /// `None` while the first request runs.
    kept: Option<Kept>,
}

impl Entry {
    fn claimed(policy: &Policy, used: &KeyUse) -> Self {
        Self { fingerprint: used.fingerprint.clone(), claim: policy.claim.clone(), kept: None }
    }
}

pub(super) fn claim(policy: &Policy, used: &KeyUse) -> Effect<Claim> {
    let fingerprint = used.fingerprint.clone();
    let entry = Entry::claimed(policy, used);
    kv::expires_in(policy.lease()).put_if_absent(store_key(used), entry).map(move |put| match put {
        kv::Put::Stored => Claim::New,
        kv::Put::Existing(entry) => Claim::of_other(&fingerprint, &entry.fingerprint, entry.kept),
    })
}

/// A request that has lost its claim, because it ran for longer than the lease, changes nothing.
pub(super) fn conclude(policy: &Policy, used: &KeyUse, kept: Option<Kept>) -> Effect<()> {
    let (key, claimed) = (store_key(used), Entry::claimed(policy, used));
    if kept.is_none() {
        return kv::delete_if(key, claimed).map(drop);
    }
    let (known, keep) = (Entry { kept, ..claimed.clone() }, policy.keep());
    kv::expires_in(keep).replace(key.clone(), claimed, known.clone()).and_then(move |put| match put {
        // The lease has passed, and no other request has claimed the key since.
        kv::Put::Existing(None) => kv::expires_in(keep).put_if_absent(key, known).map(drop),
        kv::Put::Stored | kv::Put::Existing(Some(_)) => Effect::ready(()),
    })
}

fn store_key(used: &KeyUse) -> kv::Key {
    kv::Key::from("zerver-idempotency").with(used.owner.clone()).with(used.key.clone())
}
