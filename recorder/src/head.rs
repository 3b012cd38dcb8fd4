//! What is known of a block without opening it: how many traces it has, of which flows, from when, and how they ended.

use bincode::{Decode, Encode};
use zerver_trace::{Query, RequestId, StatusFilter};

use crate::format::{self, FormatError, Kind};
use crate::row::Glance;

/// What is known of one flow within a block.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FlowCount {
    pub(crate) name: String,
    pub(crate) count: u32,
    pub(crate) failed: u32,
    pub(crate) max_ns: u64,
    /// How many succeeded, and in what times.
    pub(crate) succeeded: u32,
    pub(crate) fastest_ns: u64,
    pub(crate) slowest_ns: u64,
}

/// What is known of a block without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Head {
    pub(crate) count: u32,
    pub(crate) min_id: RequestId,
    pub(crate) max_id: RequestId,
    /// Of when its requests began, in nanoseconds since the Unix epoch.
    pub(crate) min_started: u64,
    pub(crate) max_started: u64,
    /// One bit for each class of status in it, 1xx being bit 1 and none bit 0.
    pub(crate) statuses: u8,
    pub(crate) flows: Vec<FlowCount>,
    /// Requests since the block before which the policy did not keep,
    pub(crate) not_kept: u64,
    /// and which did not fit the queue.
    pub(crate) overflowed: u64,
    /// What the block takes up in the store, in bytes.
    pub(crate) bytes: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            count: 0,
            min_id: RequestId::from_u128(u128::MAX),
            max_id: RequestId::from_u128(0),
            min_started: u64::MAX,
            max_started: 0,
            statuses: 0,
            flows: Vec::new(),
            not_kept: 0,
            overflowed: 0,
            bytes: 0,
        }
    }
}

impl Head {
    pub(crate) fn add(&mut self, row: &Glance, name: &str) {
        self.count += 1;
        self.min_id = self.min_id.min(row.id);
        self.max_id = self.max_id.max(row.id);
        self.min_started = self.min_started.min(row.started_unix_ns);
        self.max_started = self.max_started.max(row.started_unix_ns);
        self.statuses |= status_bit(row.status);
        let at = self.flows.iter().position(|flow| flow.name == name).unwrap_or_else(|| {
            let name = name.to_owned();
            self.flows.push(FlowCount {
                name,
                count: 0,
                failed: 0,
                max_ns: 0,
                succeeded: 0,
                fastest_ns: u64::MAX,
                slowest_ns: 0,
            });
            self.flows.len() - 1
        });
        let flow = &mut self.flows[at];
        flow.count += 1;
        flow.failed += u32::from(row.failed);
        flow.max_ns = flow.max_ns.max(row.duration_ns);
        if row.has_succeeded() {
            flow.succeeded += 1;
            flow.fastest_ns = flow.fastest_ns.min(row.duration_ns);
            flow.slowest_ns = flow.slowest_ns.max(row.duration_ns);
        }
    }

    /// Whether a trace that a query wants may be in the block.
    pub(crate) fn may_match(&self, query: &Query) -> bool {
        let status = query.status.is_none_or(|status| {
            self.statuses
                & match status {
                    StatusFilter::Code(code) => status_bit(code),
                    StatusFilter::Class(digit) => status_bit(digit * 100),
                }
                != 0
        });
        status
            && query.since_unix_ns.is_none_or(|since| self.max_started >= since)
            && query.until_unix_ns.is_none_or(|until| self.min_started < until)
            && self.of(query.flow.as_deref()).any(|flow| {
                (!query.only_failed || flow.failed > 0)
                    && query.slower_than_ns.is_none_or(|ns| flow.max_ns > ns)
            })
    }

    /// The flows in it: all of them, or the one of this name.
    pub(crate) fn of(&self, name: Option<&str>) -> impl Iterator<Item = &FlowCount> {
        self.flows.iter().filter(move |flow| name.is_none_or(|name| flow.name == name))
    }
}

const fn status_bit(status: u16) -> u8 {
    match status / 100 {
        class @ 1..=7 => 1 << class,
        _ => 1,
    }
}

/// The head of a block.
pub(crate) fn read(key: u64, record: &[u8]) -> Result<Head, FormatError> {
    format::decode(&format::open_record(Kind::Head, key, record)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Open;
    use crate::sample;

    #[test]
    fn a_head_never_denies_what_its_block_has() {
        let trace = sample::trace(3);
        let mut open = Open::default();
        open.push_trace(&trace).unwrap();
        let summary = trace.summary();
        for flow in [None, Some("todos-item".to_owned()), Some("other".to_owned())] {
            for status in [
                None,
                Some(StatusFilter::Code(200)),
                Some(StatusFilter::Class(5)),
                Some(StatusFilter::Class(2)),
            ] {
                for slower_than_ns in [None, Some(summary.duration_ns - 1), Some(summary.duration_ns)] {
                    for failed in [false, true] {
                        let query = Query {
                            flow: flow.clone(),
                            status,
                            only_failed: failed,
                            slower_than_ns,
                            ..Query::default()
                        };
                        assert!(!query.matches(&summary) || open.head.may_match(&query), "{query:?}");
                        for ns in [summary.started_unix_ns, summary.started_unix_ns + 1] {
                            let (since_unix_ns, until_unix_ns) = (Some(ns), Some(ns));
                            for query in [
                                Query { since_unix_ns, ..query.clone() },
                                Query { until_unix_ns, ..query.clone() },
                            ] {
                                assert!(!query.matches(&summary) || open.head.may_match(&query), "{query:?}");
                            }
                        }
                    }
                }
            }
        }
        let query = Query { flow: Some("other".to_owned()), ..Query::default() };
        assert!(!open.head.may_match(&query));
    }
}
