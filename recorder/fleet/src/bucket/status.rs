//! The state of a namespace: its nodes, and what its objects hold.

use std::collections::BTreeMap;

use zerver_recorder::NodeId;

use crate::bucket::bucket_url::BucketUrl;
use crate::bucket::format::records::NodeReport;
use crate::bucket::format::segment::Run;
use crate::bucket::format::segment_name::hour_of;
use crate::bucket::init::settings;
use crate::bucket::inventory::{Inventory, open_packs};
use crate::bucket::keys::statuses;
use crate::bucket::node_reports::reports;
use crate::bucket::object_store::ObjectStore;
use crate::bucket::read::bucket_blocks::BucketBlocks;
use crate::bucket::{NODES, SETTINGS};
use crate::fleet_error::FleetError;
use crate::node_status::{FleetStatus, NodeStatus};

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
    let traces = traces.chain(inventory.packs.iter().map(|(name, _)| name.bounds.traces));
    let traces = traces.fold(0, u64::saturating_add);
    Ok(FleetStatus {
        version: settings.version,
        keep_days: settings.keep_days,
        blocks: (inventory.live.len() + inventory.packs.len()) as u64,
        traces,
        bytes: inventory.bytes,
        builds: inventory.builds,
        nodes: read_nodes(&store)?,
        keys: statuses(&inventory.public_keys, &inventory.data_keys, |object| {
            inventory.now.duration_since(object.modified)
        }),
        archive: None,
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
            unshipped: report.unshipped,
        })
        .collect();
    nodes.sort_by_key(|node| (node.seen, node.node));
    Ok(nodes)
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
            reached = reached.max(run.last.checked_add(1));
        }
        if let (Some(reached), Some(report)) = (reached, report)
            && report.next_seq > reached
        {
            gap(reached, report.next_seq);
        }
    }
    Ok(gaps)
}
