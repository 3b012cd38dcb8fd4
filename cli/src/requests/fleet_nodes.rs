//! The nodes of a fleet: which one recorded a request, and what is missing from them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zerver_fleet::{FleetUrl, NodeStatus, nodes};
use zerver_recorder::{BlockTrace, NodeId, Reader};
use zerver_trace::duration::HumanDuration;
use zerver_trace::text::clean;
use zerver_trace::{RequestId, TraceView as _};

use crate::error::CommandError;
use crate::fleet_failure::failed;
use crate::store_place::StorePlace;
use crate::view::count;

/// Time without a report after which a node that has more to ship is mentioned.
const SILENT: Duration = Duration::from_secs(60);
/// Maximum number of messages.
const MAX_NOTICES: usize = 5;

/// The nodes of a fleet that a user chose, and which of them recorded each request that was read.
pub(crate) struct FleetNodes {
    names: BTreeMap<NodeId, String>,
    of_requests: RefCell<HashMap<RequestId, NodeId>>,
}

impl FleetNodes {
    /// Finds the nodes with a name, or with an id that begins like this; all if there is none. Returns `None` for a
    /// folder, which has no nodes.
    pub(crate) fn find(place: &StorePlace, chosen: Option<&str>) -> Result<Option<Self>, CommandError> {
        let StorePlace::Fleet(url) = place else {
            return match chosen {
                None => Ok(None),
                Some(_) => Err(CommandError::new("only a fleet has nodes")
                    .with_hint("name one with --store 'postgres://user@host/database?ns=shop_prod' or 's3://bucket/prefix?ns=shop_prod'")),
            };
        };
        let all = nodes(url).map_err(|error| failed(url, "read", &error))?;
        let mut names = names(&all);
        if let Some(chosen) = chosen {
            let known = names.values().map(String::as_str).collect::<Vec<_>>().join(", ");
            let is_chosen = |node: &NodeStatus| {
                node.name == chosen
                    || node.node.to_string().starts_with(chosen)
                    || names[&node.node] == chosen
            };
            let kept: BTreeSet<NodeId> =
                all.iter().filter(|node| is_chosen(node)).map(|node| node.node).collect();
            names.retain(|node, _| kept.contains(node));
            if names.is_empty() {
                return Err(CommandError::new(format!("no node is called {}", clean(chosen)))
                    .with_hint(format!("the nodes are {known}; `zerver fleet status` shows more")));
            }
        }
        Ok(Some(Self { names, of_requests: RefCell::default() }))
    }

    /// Returns true if one of the nodes recorded the request, and remembers which.
    pub(crate) fn note(&self, request: &BlockTrace<'_>) -> bool {
        let node = request.node().filter(|node| self.names.contains_key(node));
        if let Some(node) = node {
            self.of_requests.borrow_mut().insert(request.summary().id, node);
        }
        node.is_some()
    }

    /// Returns true if the node is known, and one of those that were chosen, and remembers what it recorded.
    pub(crate) fn learn(&self, id: RequestId, node: NodeId) -> bool {
        let is_known = self.names.contains_key(&node);
        if is_known {
            self.of_requests.borrow_mut().insert(id, node);
        }
        is_known
    }

    /// Returns the name of the node that recorded a request.
    pub(crate) fn of(&self, id: RequestId) -> Option<&str> {
        let node = *self.of_requests.borrow().get(&id)?;
        self.names.get(&node).map(String::as_str)
    }
}

/// The names of the nodes of a fleet, for views that show requests again and again.
#[derive(Default)]
pub(crate) struct KnownNodes(Mutex<BTreeMap<NodeId, String>>);

impl KnownNodes {
    /// Returns the names of the nodes that recorded requests. A node without a report has its id. What cannot be read is
    /// shown without its node.
    pub(crate) fn of(&self, url: &FleetUrl, reader: &Reader, ids: &[RequestId]) -> Vec<(RequestId, String)> {
        let mut found = Vec::with_capacity(ids.len());
        let _ = reader.visit_ids(ids, |request| {
            found.extend(request.node().map(|node| (request.summary().id, node)));
            ControlFlow::Continue(())
        });
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.iter().any(|(_, node)| !known.contains_key(node))
            && let Ok(all) = nodes(url)
        {
            *known = names(&all);
        }
        let name = |node: NodeId| known.get(&node).cloned().unwrap_or_else(|| node.to_string());
        found.into_iter().map(|(id, node)| (id, name(node))).collect()
    }
}

/// Returns the names of nodes. Nodes with the same name also show the start of their ids.
fn names(all: &[NodeStatus]) -> BTreeMap<NodeId, String> {
    let is_shared = |name: &str| all.iter().filter(|node| node.name == name).count() > 1;
    let name = |node: &NodeStatus| match clean(&node.name) {
        name if is_shared(&node.name) => format!("{name}/{}", &node.node.to_string()[..4]),
        name => name.into_owned(),
    };
    all.iter().map(|node| (node.node, name(node))).collect()
}

/// Returns the name of the node of a fleet that recorded a request, or its id if it has never reported.
pub(crate) fn node_of(place: &StorePlace, reader: &Reader, id: RequestId) -> Option<String> {
    let StorePlace::Fleet(url) = place else { return None };
    let mut found = None;
    // The request is shown without its node if the fleet has just become unreachable.
    let _ = reader.visit_ids(&[id], |request| {
        found = request.node();
        ControlFlow::Break(())
    });
    let node = found?;
    let names = names(&nodes(url).unwrap_or_default());
    Some(names.get(&node).cloned().unwrap_or_else(|| node.to_string()))
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
    if node.unshipped > 0 {
        let unshipped = count(node.unshipped, "request", "requests");
        return Some(format!(
            "{unshipped} of {name} only in its store: more than fleet.max_per_second allows"
        ));
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

    fn node(recorded: u64, shipped: u64, waiting: u64, seconds: u64) -> NodeStatus {
        NodeStatus {
            node: NodeId(7 << 48),
            name: "pod-17".to_owned(),
            build: String::new(),
            seen: Duration::from_secs(seconds),
            recorded,
            shipped,
            waiting,
            behind_bytes: 0,
            unshipped: 0,
        }
    }

    #[test]
    fn nodes_of_the_same_name_are_told_apart() {
        let other = |id| NodeStatus { node: NodeId(id), ..node(0, 0, 0, 0) };
        let named = NodeStatus { name: "pod-2".to_owned(), ..other(9) };
        let names = names(&[other(1 << 48), other(2 << 48), named]);
        assert_eq!(names.into_values().collect::<Vec<_>>(), ["pod-2", "pod-17/0001", "pod-17/0002"]);
    }

    #[test]
    fn what_a_fleet_lacks_is_listed_by_node() {
        assert_eq!(notice(&node(10, 10, 0, 9_000)), None);
        assert_eq!(notice(&node(10, 8, 2, 5)), None);
        assert_eq!(
            notice(&node(10, 8, 2, 300)).unwrap(),
            "pod-17 has not reported for 5m; 2 requests waited in its store"
        );
        assert!(notice(&node(500, 80, 8, 5)).unwrap().starts_with("412 requests of pod-17 missing"));
        let limited = NodeStatus { unshipped: 412, ..node(500, 80, 8, 5) };
        assert!(notice(&limited).unwrap().starts_with("412 requests of pod-17 only in its store"));
    }
}
