//! The state of a fleet as numbers: its nodes, and how far behind each is.

use std::time::Duration;

use zerver_recorder::NodeId;

use crate::keys::key_status::FleetKeyStatus;

/// State of a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetStatus {
    /// Version of the namespace.
    pub version: i32,
    /// Number of days for which blocks stay.
    pub keep_days: u32,
    /// Number of blocks. In a bucket, that of the objects that hold them.
    pub blocks: u64,
    /// Number of traces in the blocks.
    pub traces: u64,
    /// Size of the namespace, in bytes.
    pub bytes: u64,
    /// Builds that were seen.
    pub builds: u64,
    /// Nodes, the one that was seen last first.
    pub nodes: Vec<NodeStatus>,
    /// Public keys for which secrets are sealed, the current one first.
    pub keys: Vec<FleetKeyStatus>,
    /// URL of the bucket to which a database moves old days.
    pub archive: Option<String>,
    /// Keys of objects in the namespace that nothing of zerver has written. Readers ignore them.
    pub foreign: Vec<String>,
}

/// State of a node, as of its last report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Id of its store.
    pub node: NodeId,
    /// Name of its machine.
    pub name: String,
    /// Id of its build.
    pub build: String,
    /// Time since its last report.
    pub seen: Duration,
    /// Traces that it recorded since its store was created.
    pub recorded: u64,
    /// Traces that arrived, including those that were removed since.
    pub shipped: u64,
    /// Traces that waited in its store.
    pub waiting: u64,
    /// Bytes of the closed blocks that waited there.
    pub behind_bytes: u64,
    /// Traces that stay in its store, because it recorded too many at once.
    pub unshipped: u64,
}

impl NodeStatus {
    /// Returns the number of traces that its store dropped before they were shipped: `recorded = shipped + unshipped
    /// + waiting + missing`.
    pub const fn missing(&self) -> u64 {
        self.recorded.saturating_sub(self.shipped).saturating_sub(self.unshipped).saturating_sub(self.waiting)
    }

    /// Returns true if more arrived than was recorded, which means that a count is wrong.
    pub const fn has_too_many(&self) -> bool {
        self.shipped.saturating_add(self.unshipped) > self.recorded
    }
}
