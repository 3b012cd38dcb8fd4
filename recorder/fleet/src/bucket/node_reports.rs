//! The reports of nodes, as they lie in a bucket.

use std::time::Duration;

use zerver_recorder::NodeId;

use crate::bucket::NODES;
use crate::bucket::format::records::{NodeReport, parse_node_key};
use crate::bucket::object_store::{ObjectStore, Part};
use crate::fleet_error::FleetError;

/// Reads the reports of the nodes, and the time since each was written.
pub(super) fn reports(store: &ObjectStore) -> Result<Vec<(NodeId, Duration, NodeReport)>, FleetError> {
    let listing = store.list(NODES, None)?;
    let listed: Vec<_> = listing
        .objects
        .into_iter()
        .filter_map(|object| Some((parse_node_key(&object.key)?, object)))
        .collect();
    let parts = listed.iter().map(|(_, object)| Part { key: object.key.clone(), range: None });
    let contents = store.get_parts(&parts.collect::<Vec<_>>());
    let mut reports = Vec::with_capacity(listed.len());
    for ((node, object), content) in listed.into_iter().zip(contents) {
        let Some(content) = content? else { continue };
        let report = serde_json::from_slice(&content).map_err(|_| {
            FleetError::lasting(
                format!("the object {}{} is not a report of a node", store.url.prefix, object.key),
                "restore an earlier version of it",
            )
        })?;
        let seen = listing.now.duration_since(object.modified);
        reports.push((node, Duration::try_from(seen).unwrap_or_default(), report));
    }
    Ok(reports)
}
