//! The public keys of a fleet as numbers.

use std::collections::BTreeSet;
use std::time::Duration;

use zerver_recorder::NodeId;

use crate::keys::pair::{KeyId, PublicKey};

/// State of a public key of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetKeyStatus {
    /// Id of the key.
    pub id: KeyId,
    /// Time since it was added.
    pub age: Duration,
    /// Number of data keys that are wrapped for it: one for each process that sealed secrets.
    pub data_keys: u64,
    /// Number of nodes on which these processes ran.
    pub nodes: u64,
    /// True for the key for which processes wrap their data keys from now on.
    pub is_current: bool,
}

/// A public key as the fleet has it. Only a holder of the hash key can check the proof that goes with it.
#[derive(Clone)]
pub(crate) struct OfferedKey {
    pub(crate) public: PublicKey,
    pub(crate) proof: [u8; 32],
}

/// Uses of one public key.
#[derive(Debug, Default)]
pub(crate) struct KeyUses {
    pub(crate) data_keys: u64,
    pub(crate) nodes: BTreeSet<NodeId>,
}
