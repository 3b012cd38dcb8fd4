//! Differences between two catalogs of a service: which flows were added and removed, whose steps changed, and what breaks
//! clients.

mod flow_changes;
mod routes;

use serde::Serialize;
use zerver_trace::CatalogFlow;

pub use self::flow_changes::slo_text;
use self::routes::Routes;

/// Differences between two catalogs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CatalogDiff {
    /// Changes, by the names of the flows.
    pub changes: Vec<CatalogChange>,
}

/// A change of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CatalogChange {
    /// Name of the flow.
    pub flow: String,
    /// Subject: `flow`, `route`, `alias`, `version`, `owner`, `class`, `deadline`, `slo`, `steps`, `step NAME`,
    /// `recovery step`, `slot NAME`, `input` or `plan`.
    pub subject: String,
    /// Earlier value. `None` if it was added.
    pub old: Option<String>,
    /// Later value. `None` if it was removed.
    pub new: Option<String>,
    /// Effect on clients.
    pub breaking: Breaking,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Effect of a change on the clients of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Breaking {
    /// None.
    No,
    /// Depends on what the client sends.
    Maybe,
    /// Requests that were answered fail.
    Yes,
}

impl CatalogDiff {
    /// Compares two catalogs. `today`, such as `2026-12-01`, decides whether an alias that was removed has reached its end.
    pub fn of(old: &[CatalogFlow], new: &[CatalogFlow], today: &str) -> Self {
        let routes = Routes::of(new);
        let mut changes = Vec::new();
        for flow in old {
            match new.iter().find(|found| found.flow.name == flow.flow.name) {
                Some(found) => flow_changes::add_changes(flow, found, &routes, today, &mut changes),
                None => changes.push(removed(flow, &routes)),
            }
        }
        let added = new.iter().filter(|flow| old.iter().all(|known| known.flow.name != flow.flow.name));
        changes.extend(added.map(|flow| CatalogChange {
            flow: flow.flow.name.clone(),
            subject: "flow".to_owned(),
            old: None,
            new: Some(route(flow)),
            breaking: Breaking::No,
            note: None,
        }));
        changes.sort_by(|a, b| a.flow.cmp(&b.flow));
        Self { changes }
    }

    /// Returns the worst effect on clients.
    pub fn breaking(&self) -> Breaking {
        self.changes.iter().map(|change| change.breaking).max().unwrap_or(Breaking::No)
    }
}

fn removed(flow: &CatalogFlow, routes: &Routes<'_>) -> CatalogChange {
    let taken_over = routes.owner(&flow.flow.method, &flow.flow.pattern);
    CatalogChange {
        flow: flow.flow.name.clone(),
        subject: "flow".to_owned(),
        old: Some(route(flow)),
        new: None,
        breaking: if taken_over.is_some() { Breaking::No } else { Breaking::Yes },
        note: taken_over.map(|name| format!("flow {name} has its route")),
    }
}

fn route(flow: &CatalogFlow) -> String {
    format!("{} {}", flow.flow.method, flow.flow.pattern)
}

#[cfg(test)]
mod tests;
