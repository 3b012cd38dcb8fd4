//! Burn rates of service level objectives from recorded requests, and the requests that burn the budgets.

use serde::{Serialize, Serializer};
use zerver_engine::service_docs::{SLO_WINDOWS_MIN, SloMetrics, slo_objectives};
use zerver_trace::{CatalogFlow, RequestId, Summary};

const MINUTE_NS: u64 = 60_000_000_000;

/// An objective of a flow, with the recorded requests that missed it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloReport {
    /// Team or person to ask about the flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Burn rates. The counts are those of the recorded requests.
    #[serde(flatten)]
    pub slo: SloMetrics,
    /// Query that selects the requests of the longest window that missed the objective.
    pub query: String,
    /// The worst of them, the slowest first, or the newest first for errors.
    pub worst: Vec<WorstRequest>,
}

/// A request that missed an objective.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorstRequest {
    /// Id.
    #[serde(serialize_with = "as_text")]
    pub id: RequestId,
    /// Status of its response.
    pub status: u16,
    /// Time that it took, in nanoseconds.
    pub duration_ns: u64,
}

impl SloReport {
    /// Returns the objectives of a flow. The windows end at `until_unix_ns`; `requests` may be those of all flows. At most
    /// `limit` of the worst requests are named.
    ///
    /// Requests without a response do not count, and a request counts when it ends.
    pub fn of(flow: &CatalogFlow, requests: &[Summary], until_unix_ns: u64, limit: usize) -> Vec<Self> {
        let Some(declaration) = &flow.declaration else { return Vec::new() };
        let Some(slo) = declaration.slo else { return Vec::new() };
        let counted: Vec<&Summary> = requests
            .iter()
            .filter(|request| {
                request.flow == flow.flow.name && request.status > 0 && end(request) <= until_unix_ns
            })
            .collect();
        let objectives = slo_objectives(slo.p95_ns, slo.p99_ns, slo.errors_ppm);
        let report = |objective: (&'static str, Option<u64>, f64)| {
            let is_bad = |request: &Summary| match objective.1 {
                Some(limit_ns) => request.duration_ns > limit_ns,
                None => request.status >= 500,
            };
            let since = |minutes: u32| until_unix_ns.saturating_sub(u64::from(minutes) * MINUTE_NS);
            let counts = SLO_WINDOWS_MIN.map(|minutes| {
                let recent = || counted.iter().filter(|request| end(request) >= since(minutes));
                (recent().count() as u64, recent().filter(|request| is_bad(request)).count() as u64)
            });
            let all_bad: Vec<_> = counted.iter().filter(|request| is_bad(request)).collect();
            let total = (counted.len() as u64, all_bad.len() as u64);
            let longest = since(SLO_WINDOWS_MIN[SLO_WINDOWS_MIN.len() - 1]);
            let mut worst: Vec<_> = all_bad.into_iter().filter(|request| end(request) >= longest).collect();
            worst.sort_by_key(|request| {
                let key = if objective.1.is_some() { request.duration_ns } else { request.started_unix_ns };
                std::cmp::Reverse(key)
            });
            let name = &flow.flow.name;
            Self {
                owner: declaration.owner.clone(),
                slo: SloMetrics::new(name, objective, total, counts),
                query: match objective.1 {
                    Some(limit_ns) => format!("flow:{name} took>{limit_ns}ns"),
                    None => format!("flow:{name} status:5xx"),
                },
                worst: worst.into_iter().take(limit).map(|request| WorstRequest::of(request)).collect(),
            }
        };
        objectives.map(report).collect()
    }
}

impl WorstRequest {
    const fn of(request: &Summary) -> Self {
        Self { id: request.id, status: request.status, duration_ns: request.duration_ns }
    }
}

fn as_text<S: Serializer>(id: &RequestId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn end(request: &Summary) -> u64 {
    request.started_unix_ns.saturating_add(request.duration_ns)
}

#[cfg(test)]
mod tests {
    use zerver_engine::service_docs::SloState;
    use zerver_trace::{FlowDeclaration, FlowInfo, SloInfo};

    use super::*;

    const MS: u64 = 1_000_000;
    const NOW: u64 = 1_000 * MINUTE_NS;

    fn flow() -> CatalogFlow {
        let slo = SloInfo { p95_ns: Some(50 * MS), p99_ns: None, errors_ppm: Some(100_000) };
        let declaration = FlowDeclaration {
            owner: Some("checkout".to_owned()),
            slo: Some(slo),
            ..FlowDeclaration::default()
        };
        CatalogFlow::new(FlowInfo { name: "orders".to_owned(), ..FlowInfo::default() }, Some(declaration))
    }

    fn request(n: u128, minutes_ago: u64, duration_ns: u64, status: u16) -> Summary {
        Summary {
            id: RequestId::from_u128(n),
            flow: "orders".to_owned(),
            method: "GET".to_owned(),
            path: "/orders".to_owned(),
            status,
            duration_ns,
            class: zerver_trace::Class::Default,
            started_unix_ns: NOW - minutes_ago * MINUTE_NS - duration_ns,
            outcome: "done".to_owned(),
            is_failed: status >= 500,
            worker: None,
            authority: String::new(),
        }
    }

    #[test]
    fn requests_are_judged_by_their_flow() {
        let requests = [
            request(1, 0, 60 * MS, 200),
            request(2, 5, 50 * MS, 503),
            request(3, 6, 70 * MS, 200),
            request(4, 361, 80 * MS, 500),
            request(5, 1, 90 * MS, 0),
            Summary { flow: "other".to_owned(), ..request(6, 1, 90 * MS, 500) },
            Summary { started_unix_ns: NOW, ..request(7, 0, 90 * MS, 500) },
        ];
        let reports = SloReport::of(&flow(), &requests, NOW, 2);
        let [p95, errors] = &reports[..] else { panic!("{reports:?}") };
        let counts =
            |report: &SloReport| report.slo.windows.iter().map(|w| (w.requests, w.bad)).collect::<Vec<_>>();
        let ids = |report: &SloReport| report.worst.iter().map(|request| request.id).collect::<Vec<_>>();
        assert_eq!(counts(p95), [(2, 1), (3, 2), (3, 2)]);
        assert_eq!((p95.slo.requests, p95.slo.bad), (4, 3));
        assert_eq!(ids(p95), [3, 1].map(RequestId::from_u128), "the slowest of the last six hours");
        assert_eq!(
            (p95.query.as_str(), p95.owner.as_deref()),
            ("flow:orders took>50000000ns", Some("checkout"))
        );
        assert_eq!(counts(errors), [(2, 1), (3, 1), (3, 1)]);
        assert_eq!(ids(errors), [2].map(RequestId::from_u128));
        assert_eq!((p95.slo.state, errors.slo.state), (SloState::SlowBurn, SloState::Ok));
    }

    #[test]
    fn a_flow_without_objectives_has_no_report() {
        assert!(SloReport::of(&CatalogFlow::default(), &[], NOW, 2).is_empty());
    }
}
