//! The health of a fleet: every block, and whether the counts of its nodes add up.

use serde::Serialize;
use zerver_fleet::{FleetStatus, FleetUrl, NodeStatus, gaps, status};
use zerver_recorder::{Reader, SealError, Verification, verify};
use zerver_trace::text::clean;

use crate::error::{CommandError, CommandOutcome};
use crate::fleet_failure::failed;
use crate::locate;
use crate::output::Output;
use crate::store_place::StorePlace;
use crate::view::layout::field;
use crate::view::{bytes, count};

/// Maximum number of damaged blocks to list.
const MAX_LISTED: usize = 10;

/// `{"store": ..}`.
#[derive(Serialize)]
struct FleetDocument<'f> {
    store: String,
    healthy: bool,
    findings: &'f [String],
    traces: u64,
    blocks: u64,
    secrets: u64,
    readable_secrets: u64,
    nodes: usize,
    bytes: u64,
}

pub(super) fn run(url: &FleetUrl, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let state = status(url).map_err(|error| failed(url, "check", &error))?;
    let place = StorePlace::Fleet(Box::new(url.clone()));
    let reader = locate::open_reader(&place)?;
    let found = verify(&reader, &mut |read| {
        if read % 64 == 63 {
            output.progress(&format!("checking block {read} of {}", state.blocks));
        }
    });
    output.clear_progress();
    let found = found.map_err(|error| locate::unreadable_store(&place, &error))?;
    let mut findings = findings(&state, &found);
    findings.extend(
        gaps(url).map_err(|error| failed(url, "check", &error))?.iter().map(|gap| clean(gap).into_owned()),
    );
    let secrets = Secrets::of(&found, &reader);
    findings.extend(secrets.lost.iter().map(|reason| clean(reason).into_owned()));
    if output.is_json {
        output.json(&FleetDocument {
            store: url.to_string(),
            healthy: findings.is_empty(),
            findings: &findings,
            traces: found.traces,
            blocks: found.blocks,
            secrets: found.secrets,
            readable_secrets: secrets.readable,
            nodes: state.nodes.len(),
            bytes: state.bytes,
        })?;
    } else {
        let mut out = field("fleet", &[place.to_string()]);
        out += &field("nodes", &[count(state.nodes.len() as u64, "node", "nodes")]);
        out += &field("holds", &[count(found.traces, "request", "requests")]);
        out += &field("size", &[bytes(state.bytes)]);
        if found.secrets > 0 {
            out += &field("secrets", &secrets.lines(found.secrets));
        }
        let health = if findings.is_empty() { &["good".to_owned()][..] } else { &findings };
        out += &field("health", health);
        output.print(&out)?;
    }
    Ok(if findings.is_empty() { CommandOutcome::Success } else { CommandOutcome::Finding })
}

/// Secrets by what it takes to read them.
#[derive(Default)]
struct Secrets {
    /// Number of those that the keys which were given open.
    readable: u64,
    /// Number of those whose keys stay on the nodes.
    at_home: u64,
    /// Reason why others cannot be read.
    closed: Option<String>,
    /// Data keys that no reader can unwrap.
    lost: Vec<String>,
}

impl Secrets {
    fn of(found: &Verification, reader: &Reader) -> Self {
        let mut secrets = Self::default();
        for (key, count) in &found.secrets_by_key {
            match reader.unreadable_secrets(*key) {
                None => secrets.readable += count,
                Some(SealError::Elsewhere { .. }) => secrets.at_home += count,
                Some(SealError::Wrapped { reason, is_lost: true }) => secrets.lost.push(reason),
                Some(error) => drop(secrets.closed.get_or_insert_with(|| error.to_string())),
            }
        }
        secrets
    }

    fn lines(&self, all: u64) -> Vec<String> {
        let mut lines = vec![format!("{}, sealed", count(all, "secret", "secrets"))];
        if self.readable > 0 {
            lines.push(format!("{} readable with the keys that are here", self.readable));
        }
        if self.at_home > 0 {
            lines.push(format!("{} sealed under keys that stay on the nodes", self.at_home));
        }
        lines.extend(self.closed.as_ref().map(|reason| clean(reason).into_owned()));
        lines
    }
}

fn findings(state: &FleetStatus, found: &Verification) -> Vec<String> {
    let mut findings: Vec<String> =
        found.damaged.iter().take(MAX_LISTED).map(|block| clean(&block.reason).into_owned()).collect();
    if found.damaged.len() > MAX_LISTED {
        findings.push(format!("and {} more damaged blocks", found.damaged.len() - MAX_LISTED));
    }
    findings.extend(state.nodes.iter().filter_map(of_node));
    findings
}

/// Checks `recorded = shipped + unshipped + waiting + missing` for a node.
fn of_node(node: &NodeStatus) -> Option<String> {
    let name = clean(&node.name);
    if node.has_too_many() {
        let extra = count(node.shipped.saturating_add(node.unshipped) - node.recorded, "request", "requests");
        return Some(format!(
            "{extra} of {name} arrived in excess of those that it recorded: a count is wrong"
        ));
    }
    (node.missing() > 0).then(|| {
        let missing = count(node.missing(), "request", "requests");
        format!("{missing} of {name} are missing: its store dropped them before they were shipped")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use zerver_recorder::{DamagedBlock, NodeId};

    fn node(recorded: u64, shipped: u64, waiting: u64) -> NodeStatus {
        NodeStatus {
            node: NodeId(7),
            name: "pod-17".to_owned(),
            build: String::new(),
            seen: Duration::ZERO,
            recorded,
            shipped,
            waiting,
            behind_bytes: 0,
            unshipped: 0,
        }
    }

    #[test]
    fn counts_that_do_not_add_up_are_findings() {
        assert_eq!(of_node(&node(10, 7, 3)), None);
        assert_eq!(of_node(&NodeStatus { unshipped: 2, ..node(10, 5, 3) }), None);
        assert_eq!(
            of_node(&node(500, 80, 8)).unwrap(),
            "412 requests of pod-17 are missing: its store dropped them before they were shipped"
        );
        assert!(of_node(&node(10, 11, 0)).unwrap().contains("1 request of pod-17 arrived in excess"));
    }

    #[test]
    fn only_some_damaged_blocks_are_listed() {
        let damaged = |key| DamagedBlock { key, reason: format!("block {key}") };
        let found = Verification { damaged: (0..12).map(damaged).collect(), ..Verification::default() };
        let state = FleetStatus { blocks: 12, ..FleetStatus::default() };
        let found = findings(&state, &found);
        assert_eq!((found.len(), found[10].as_str()), (11, "and 2 more damaged blocks"));
    }
}
