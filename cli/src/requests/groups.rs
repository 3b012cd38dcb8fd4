//! Groups of requests with equal values.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use zerver_analysis::quantile;
use zerver_trace::Summary;

use crate::args::GroupKey;

/// Requests whose keys have equal values.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct RequestGroup {
    /// Values by the name of the key.
    pub(crate) key: BTreeMap<&'static str, String>,
    /// Number of requests.
    pub(crate) count: u64,
    /// Median of the durations.
    pub(crate) p50_ns: u64,
    /// Duration that 99 % of the requests did not exceed.
    pub(crate) p99_ns: u64,
}

/// `{"groups": [...]}`.
#[derive(Serialize)]
pub(crate) struct GroupsJson<'a> {
    pub(crate) groups: &'a [RequestGroup],
}

impl GroupKey {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Status => "status",
            Self::Method => "method",
            Self::Path => "path",
            Self::Host => "host",
            Self::Outcome => "outcome",
            Self::Class => "class",
            Self::Worker => "worker",
        }
    }

    fn value(self, request: &Summary) -> String {
        match self {
            Self::Flow => request.flow.clone(),
            Self::Status => request.status.to_string(),
            Self::Method => request.method.clone(),
            Self::Path => request.path.clone(),
            Self::Host => request.authority.clone(),
            Self::Outcome => request.outcome.clone(),
            Self::Class => request.class.as_str().to_owned(),
            Self::Worker => request.worker.map_or_else(String::new, |worker| worker.to_string()),
        }
    }
}

/// Groups requests by these keys, the largest group first.
pub(crate) fn group_requests(requests: &[Summary], keys: &[GroupKey]) -> Vec<RequestGroup> {
    let mut groups: BTreeMap<Vec<String>, Vec<u64>> = BTreeMap::new();
    for request in requests {
        let values = keys.iter().map(|key| key.value(request)).collect();
        groups.entry(values).or_default().push(request.duration_ns);
    }
    let mut groups: Vec<_> = groups
        .into_iter()
        .map(|(values, mut durations)| {
            durations.sort_unstable();
            RequestGroup {
                key: keys.iter().map(|key| key.name()).zip(values).collect(),
                count: durations.len() as u64,
                p50_ns: quantile(&durations, 50),
                p99_ns: quantile(&durations, 99),
            }
        })
        .collect();
    groups.sort_by_key(|group| Reverse(group.count));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample;

    #[test]
    fn requests_with_equal_values_form_a_group() {
        let (slow, failed) = (sample::slow().summary(), sample::failed().summary());
        let requests = [slow.clone(), failed, slow];
        let groups = group_requests(&requests, &[GroupKey::Flow, GroupKey::Status]);
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (group.key["flow"].as_str(), group.key["status"].as_str(), group.count))
            .collect();
        assert_eq!(shown, [("todos-item", "200", 2), ("todos-item", "404", 1)]);
        let json = serde_json::to_value(GroupsJson { groups: &groups }).unwrap();
        assert_eq!(json["groups"][1]["key"]["status"], "404");
        assert_eq!(json["groups"][1]["p50_ns"], 900_000);
    }
}
