//! The nodes of a fleet: which one recorded a request, and what is missing from them.

use std::collections::BTreeSet;
use std::time::Duration;

use zerver_fleet::{NodeStatus, nodes};
use zerver_recorder::{BlockTrace, NodeId};
use zerver_trace::duration::HumanDuration;
use zerver_trace::text::clean;

use crate::commands::fleet::failed;
use crate::error::CommandError;
use crate::store_place::StorePlace;
use crate::view::count;

/// Time without a report after which a node that has more to ship is mentioned.
const SILENT: Duration = Duration::from_secs(60);
/// Maximum number of messages.
const MAX_NOTICES: usize = 5;

/// Nodes that a user chose.
pub(crate) struct ChosenNodes(BTreeSet<NodeId>);

impl ChosenNodes {
    /// Finds the nodes with a name, or with an id that begins like this.
    pub(crate) fn find(place: &StorePlace, name: &str) -> Result<Self, CommandError> {
        let StorePlace::Fleet(url) = place else {
            return Err(CommandError::new("only a fleet has nodes")
                .with_hint("name one with --store 'postgres://user@host/database?ns=shop_prod'"));
        };
        let all = nodes(url).map_err(|error| failed(url, "read", &error))?;
        let chosen: BTreeSet<NodeId> = all
            .iter()
            .filter(|node| node.name == name || node.node.to_string().starts_with(name))
            .map(|node| node.node)
            .collect();
        if chosen.is_empty() {
            let names: BTreeSet<_> = all.iter().map(|node| clean(&node.name)).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            return Err(CommandError::new(format!("no node is called {}", clean(name)))
                .with_hint(format!("the nodes are {names}; `zerver fleet status` shows more")));
        }
        Ok(Self(chosen))
    }

    /// Returns true if one of them recorded the request.
    pub(crate) fn contain(&self, request: &BlockTrace<'_>) -> bool {
        request.node().is_some_and(|node| self.0.contains(&node))
    }
}

/// Returns messages about requests that a fleet lacks.
pub(crate) fn missing_notices(place: &StorePlace) -> Vec<String> {
    let StorePlace::Fleet(url) = place else { return Vec::new() };
    let all = nodes(url).unwrap_or_default();
    let mut notices: Vec<String> = all.iter().filter_map(notice).collect();
    if notices.len() > MAX_NOTICES {
        let more = count((notices.len() - MAX_NOTICES) as u64, "other node lacks", "other nodes lack");
        notices.truncate(MAX_NOTICES);
        notices.push(format!("{more} requests; `zerver fleet status` lists them"));
    }
    notices
}

fn notice(node: &NodeStatus) -> Option<String> {
    let name = clean(&node.name);
    if node.missing() > 0 {
        let missing = count(node.missing(), "request", "requests");
        return Some(format!("{missing} of {name} missing: its store dropped them before they were shipped"));
    }
    (node.waiting > 0 && node.seen > SILENT).then(|| {
        let seen = HumanDuration { ns: node.seen.as_secs().saturating_mul(1_000_000_000) };
        let waiting = count(node.waiting, "request", "requests");
        format!("{name} has not reported for {seen}; {waiting} waited in its store")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fleet_lacks_is_told_by_node() {
        let node = |recorded, shipped, waiting, seconds| NodeStatus {
            node: NodeId(7),
            name: "pod-17".to_owned(),
            build: String::new(),
            seen: Duration::from_secs(seconds),
            recorded,
            shipped,
            waiting,
            behind_bytes: 0,
        };
        assert_eq!(notice(&node(10, 10, 0, 9_000)), None);
        assert_eq!(notice(&node(10, 8, 2, 5)), None);
        assert_eq!(
            notice(&node(10, 8, 2, 300)).unwrap(),
            "pod-17 has not reported for 5m; 2 requests waited in its store"
        );
        assert!(notice(&node(500, 80, 8, 5)).unwrap().starts_with("412 requests of pod-17 missing"));
    }
}
