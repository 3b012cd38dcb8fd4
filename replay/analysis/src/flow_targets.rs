//! The targets of the effects of a flow, as far as its recorded requests show them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Timeline;
use crate::timeline::http_host;

/// A target of the effects of a flow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FlowTarget {
    /// Kind of the effects, such as `http` or `sql`.
    pub kind: String,
    /// Host of HTTP calls. `None` for other kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl FlowTarget {
    /// Returns the targets of the effects in these timelines, each once, in order.
    pub fn of<'t>(timelines: impl IntoIterator<Item = &'t Timeline>) -> Vec<Self> {
        let effects =
            timelines.into_iter().flat_map(|timeline| timeline.runs.iter().flat_map(|run| &run.effects));
        let targets: BTreeSet<Self> = effects
            .map(|effect| Self {
                kind: effect.kind.clone(),
                host: http_host(&effect.kind, &effect.summary).map(str::to_owned),
            })
            .collect();
        targets.into_iter().collect()
    }
}

impl std::fmt::Display for FlowTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{} {host}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample;

    #[test]
    fn each_target_is_listed_once() {
        let timelines =
            [sample::slow(), sample::report(20), sample::slow()].map(|trace| Timeline::of(&trace));
        let targets: Vec<_> = FlowTarget::of(&timelines).iter().map(ToString::to_string).collect();
        assert_eq!(targets, ["http figures.internal", "http idp.example.com", "kv"]);
        assert_eq!(FlowTarget::of(&[]), []);
    }
}
