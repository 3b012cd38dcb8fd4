//! The flows of a service that has none: one for each route and method. Looking one up takes no lock.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use http::Method;
use zerver_trace::{Class, FlowInfo, StepInfo};

/// Maximum number of flows. Further routes count as unmatched, so that no client can add flows without end.
const MAX_FLOWS: usize = 1_000;
/// Maximum number of flows that are paths of requests, because there is no route.
const MAX_PATHS: usize = 200;
/// Maximum length of a pattern, in bytes.
const MAX_PATTERN: usize = 200;
/// Name of the flow of requests without a route.
const UNMATCHED: &str = "unmatched";

/// Patterns with their methods and flows, sorted by pattern. Most services have few, so that a search is cheaper than a hash.
type Flows = Vec<(String, Vec<(Method, Arc<FlowInfo>)>)>;

pub(crate) struct FlowTable {
    by_pattern: ArcSwap<Flows>,
    added: Mutex<Added>,
    unmatched: Arc<FlowInfo>,
}

/// All flows, in the order in which they were added.
#[derive(Default)]
struct Added {
    flows: Vec<Arc<FlowInfo>>,
    paths: usize,
}

impl Default for FlowTable {
    fn default() -> Self {
        Self {
            by_pattern: ArcSwap::default(),
            added: Mutex::default(),
            unmatched: Arc::new(flow(UNMATCHED.to_owned(), String::new(), String::new())),
        }
    }
}

impl FlowTable {
    /// Returns the flow of a route. `declare` gets all flows if it is new.
    pub(crate) fn of_route(
        &self,
        method: &Method,
        pattern: &str,
        declare: impl FnOnce(&[Arc<FlowInfo>]),
    ) -> Arc<FlowInfo> {
        self.find(method, pattern).unwrap_or_else(|| self.add(method, pattern, false, declare))
    }

    /// Returns the flow of a request without a route: its path, if that is one of the first.
    pub(crate) fn of_path(
        &self,
        method: &Method,
        path: &str,
        declare: impl FnOnce(&[Arc<FlowInfo>]),
    ) -> Arc<FlowInfo> {
        if path.len() > MAX_PATTERN {
            return self.unmatched();
        }
        self.find(method, path).unwrap_or_else(|| self.add(method, path, true, declare))
    }

    /// Returns the flow of requests without a route.
    pub(crate) fn unmatched(&self) -> Arc<FlowInfo> {
        Arc::clone(&self.unmatched)
    }

    fn find(&self, method: &Method, pattern: &str) -> Option<Arc<FlowInfo>> {
        let flows = self.by_pattern.load();
        let at = flows.binary_search_by(|(known, _)| known.as_str().cmp(pattern)).ok()?;
        let (_, flow) = flows[at].1.iter().find(|(known, _)| known == method)?;
        Some(Arc::clone(flow))
    }

    fn add(
        &self,
        method: &Method,
        pattern: &str,
        is_path: bool,
        declare: impl FnOnce(&[Arc<FlowInfo>]),
    ) -> Arc<FlowInfo> {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have added it meanwhile.
        if let Some(flow) = self.find(method, pattern) {
            return flow;
        }
        if added.flows.len() >= MAX_FLOWS || (is_path && added.paths >= MAX_PATHS) {
            return self.unmatched();
        }
        let shown = &pattern[..pattern.floor_char_boundary(MAX_PATTERN)];
        let slug = FlowInfo::slug(&format!("{method} {shown}"));
        let is_taken = |name: &str| name == UNMATCHED || added.flows.iter().any(|flow| flow.name == name);
        let numbered = (2..).map(|n| format!("{slug}-{n}"));
        let name = std::iter::once(slug.clone()).chain(numbered).find(|name| !is_taken(name));
        let new = Arc::new(flow(name.unwrap_or(slug), method.to_string(), shown.to_owned()));
        let mut flows = Flows::clone(&self.by_pattern.load());
        let at = flows.binary_search_by(|(known, _)| known.as_str().cmp(pattern)).unwrap_or_else(|at| {
            flows.insert(at, (pattern.to_owned(), Vec::new()));
            at
        });
        flows[at].1.push((method.clone(), Arc::clone(&new)));
        self.by_pattern.store(Arc::new(flows));
        added.flows.push(Arc::clone(&new));
        added.paths += usize::from(is_path);
        declare(&added.flows);
        new
    }
}

fn flow(name: String, method: String, pattern: String) -> FlowInfo {
    let handler = StepInfo {
        name: "handler".to_owned(),
        doc: "The handler of a service that a layer records.".to_owned(),
        file: String::new(),
        line: 0,
        reads: Vec::new(),
        writes: Vec::new(),
    };
    FlowInfo { name, method, pattern, class: Class::default(), slots: Vec::new(), steps: vec![handler] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_named_after_its_route_and_added_once() {
        let table = FlowTable::default();
        let mut declared = Vec::new();
        let mut name = |method: Method, pattern: &str| {
            table.of_route(&method, pattern, |flows| declared.push(flows.len())).name.clone()
        };
        assert_eq!(name(Method::GET, "/todos/{id}"), "get-todos-id");
        assert_eq!(name(Method::PUT, "/todos/{id}"), "put-todos-id");
        assert_eq!(name(Method::GET, "/todos/{id}"), "get-todos-id");
        assert_eq!(name(Method::GET, "/todos/id"), "get-todos-id-2");
        assert_eq!(name(Method::GET, "/"), "get");
        assert_eq!(name(Method::GET, "/grüße/{*rest}"), "get-grüße-rest");
        assert_eq!(declared, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn clients_cannot_add_flows_without_end() {
        let table = FlowTable::default();
        let path = |n: usize| table.of_path(&Method::GET, &format!("/{n}"), |_| {}).name.clone();
        assert_eq!(path(0), "get-0");
        let unmatched = (0..2 * MAX_PATHS).filter(|n| path(*n) == UNMATCHED).count();
        assert_eq!(unmatched, MAX_PATHS);
        let long = format!("/{}", "x".repeat(MAX_PATTERN));
        assert_eq!(table.of_path(&Method::GET, &long, |_| {}).name, UNMATCHED);
        let method = |n: usize| Method::from_bytes(format!("M{n}").as_bytes()).unwrap();
        let route = |n: usize| table.of_route(&method(n), "/any", |_| {}).name.clone();
        let unmatched = (0..2 * MAX_FLOWS).filter(|n| route(*n) == UNMATCHED).count();
        assert_eq!(unmatched, MAX_FLOWS + MAX_PATHS);
    }
}
