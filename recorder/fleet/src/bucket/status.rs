//! The state of a namespace: its nodes, and what its objects hold.

use std::collections::BTreeMap;
use std::time::Duration;

use zerver_recorder::NodeId;

use crate::bucket::bucket_url::BucketUrl;
use crate::bucket::format::records::{NodeReport, parse_node_key};
use crate::bucket::format::segment::Run;
use crate::bucket::format::segment_name::hour_of;
use crate::bucket::init::settings;
use crate::bucket::inventory::{Inventory, open_packs};
use crate::bucket::object_store::{ObjectStore, Part};
use crate::bucket::read::bucket_blocks::BucketBlocks;
use crate::bucket::{NODES, SETTINGS};
use crate::fleet_error::FleetError;
use crate::fleet_status::{FleetStatus, NodeStatus};

/// Reads the state of a namespace.
pub(crate) fn status(url: &BucketUrl) -> Result<FleetStatus, FleetError> {
    let store = ObjectStore::new(url)?;
    let settings = settings(&store)?;
    let inventory = Inventory::read(&store)?;
    // For a while, a segment is there a second time in a pack.
    let hours: std::collections::BTreeSet<_> =
        inventory.live.iter().map(|(name, _)| hour_of(name.time_ms)).collect();
    let packs = inventory.packs.iter().filter(|(name, _)| hours.contains(&name.hour));
    let packs = open_packs(&store, packs, &mut Vec::new())?;
    let live = inventory.live.iter().filter(|(name, _)| {
        let packs = packs.get(&hour_of(name.time_ms));
        !packs.is_some_and(|packs| packs.iter().any(|pack| pack.covering(name).is_some()))
    });
    let traces = live.map(|(name, _)| name.bounds.traces);
    let traces = traces.chain(inventory.packs.iter().map(|(name, _)| name.bounds.traces)).sum();
    Ok(FleetStatus {
        version: settings.version,
        keep_days: settings.keep_days,
        blocks: (inventory.live.len() + inventory.packs.len()) as u64,
        traces,
        bytes: inventory.bytes,
        builds: inventory.builds,
        nodes: read_nodes(&store)?,
        foreign: inventory.foreign.iter().map(|key| format!("{}{key}", url.prefix)).collect(),
    })
}

/// Reads the reports of the nodes, that of the one that was seen last first.
pub(crate) fn nodes(url: &BucketUrl) -> Result<Vec<NodeStatus>, FleetError> {
    read_nodes(&ObjectStore::new(url)?)
}

fn read_nodes(store: &ObjectStore) -> Result<Vec<NodeStatus>, FleetError> {
    let mut nodes: Vec<NodeStatus> = reports(store)?
        .into_iter()
        .map(|(node, seen, report)| NodeStatus {
            node,
            name: report.name,
            build: report.build,
            seen,
            recorded: report.recorded,
            shipped: report.shipped,
            waiting: report.waiting,
            behind_bytes: report.behind_bytes,
        })
        .collect();
    nodes.sort_by_key(|node| (node.seen, node.node));
    Ok(nodes)
}

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

/// Finds blocks that were shipped and are not there, although later ones of the same node are or the node knows of them.
pub(crate) fn gaps(url: &BucketUrl) -> Result<Vec<String>, FleetError> {
    let store = ObjectStore::new(url)?;
    let runs = BucketBlocks::open(url).and_then(|blocks| blocks.runs());
    let runs = runs.map_err(|error| FleetError::passing(error.to_string()))?;
    let reports: BTreeMap<NodeId, NodeReport> =
        reports(&store)?.into_iter().map(|(node, _, report)| (node, report)).collect();
    if reports.is_empty() && !runs.is_empty() {
        return Ok(vec![format!(
            "the reports of all nodes are missing, and perhaps more than {NODES} and {SETTINGS}"
        )]);
    }
    let mut gaps = Vec::new();
    for (node, mut runs) in runs {
        runs.sort_by_key(|run: &Run| run.first);
        let mut reached = None;
        let report = reports.get(&node);
        let name = report.map_or_else(|| node.to_string(), |report| report.name.clone());
        let mut gap = |first: u64, until: u64| {
            gaps.push(format!(
                "blocks {first} to {} of {name} were shipped, and their object is missing",
                until - 1
            ));
        };
        for run in &runs {
            if let Some(reached) = reached.filter(|reached| run.after > *reached) {
                gap(reached, run.after);
            }
            reached = reached.max(Some(run.last + 1));
        }
        if let (Some(reached), Some(report)) = (reached, report)
            && report.next_seq > reached
        {
            gap(reached, report.next_seq);
        }
    }
    Ok(gaps)
}
