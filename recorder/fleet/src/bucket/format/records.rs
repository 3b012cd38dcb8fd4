//! Small objects: the settings, the reports of nodes, and descriptions of builds.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zerver_recorder::{BuildRecord, BuildRecords, NodeId};

use crate::bucket::format::container::{self, ContainerError};
use crate::bucket::{BUILDS, NODES};

/// Settings of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) version: i32,
    pub(crate) keep_days: u32,
}

/// Last report of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeReport {
    pub(crate) name: String,
    pub(crate) build: String,
    /// Key after that of the last block that was shipped.
    pub(crate) next_seq: u64,
    pub(crate) shipped: u64,
    pub(crate) recorded: u64,
    pub(crate) not_kept: u64,
    pub(crate) dropped: u64,
    pub(crate) waiting: u64,
    pub(crate) behind_bytes: u64,
    /// Traces in blocks that stay in the store of the node.
    #[serde(default)]
    pub(crate) unshipped: u64,
    /// Key after that of the last of these blocks.
    #[serde(default)]
    pub(crate) left_until: u64,
}

impl NodeReport {
    /// Returns the key of the block that is wanted next.
    pub(crate) fn wanted(&self) -> u64 {
        self.next_seq.max(self.left_until)
    }
}

/// Returns the key of the report of a node.
pub(crate) fn node_key(node: NodeId) -> String {
    format!("{NODES}{node}")
}

/// Reads the key of a report.
pub(crate) fn parse_node_key(key: &str) -> Option<NodeId> {
    let digits = key.strip_prefix(NODES).filter(|digits| digits.len() == 16)?;
    let node = NodeId(u64::from_str_radix(digits, 16).ok()?);
    (node_key(node) == key).then_some(node)
}

/// Returns a small object as JSON.
pub(crate) fn write<T: Serialize>(record: &T) -> Bytes {
    // Our own types have no maps with keys that JSON lacks.
    Bytes::from(serde_json::to_vec(record).unwrap_or_default())
}

/// Description of the records of a build, which lie one after the other.
#[derive(Debug, Serialize, Deserialize)]
struct BuildDescription {
    build: String,
    catalog: Option<usize>,
    declarations: Option<usize>,
    origin: Option<usize>,
}

/// Returns the key and the content of the description of a build.
pub(crate) fn write_build(build: &BuildRecords) -> (String, Bytes) {
    let mut content = Vec::new();
    let mut add = |record: &Option<Vec<u8>>| {
        let record = record.as_ref()?;
        content.extend_from_slice(record);
        Some(record.len())
    };
    let description = BuildDescription {
        catalog: add(&build.catalog),
        declarations: add(&build.declarations),
        origin: add(&build.origin),
        build: build.build.clone(),
    };
    container::append(&mut content, &description);
    let key = format!("{BUILDS}{}", blake3::hash(build.build.as_bytes()).to_hex());
    (key, Bytes::from(content))
}

/// Reads a record of a build. Returns `None` if it has none of this kind.
pub(crate) fn read_build(content: &Bytes, kind: BuildRecord) -> Result<Option<Bytes>, ContainerError> {
    let (description, end): (BuildDescription, usize) = container::read(content)?;
    let mut at: usize = 0;
    for (found, length) in [
        (BuildRecord::Catalog, description.catalog),
        (BuildRecord::Declarations, description.declarations),
        (BuildRecord::Origin, description.origin),
    ] {
        let until = at.checked_add(length.unwrap_or(0)).filter(|until| *until <= end);
        let until = until.ok_or(ContainerError::Description)?;
        if found == kind {
            return Ok(length.map(|_| content.slice(at..until)));
        }
        at = until;
    }
    Ok(None)
}
