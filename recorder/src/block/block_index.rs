//! The index of a block: enough to decide whether a search must read the rest of the block.

use bincode::{Decode, Encode};
use zerver_trace::{Query, RequestId, StatusFilter};

use crate::block::slot_index::SlotKeys;
use crate::block::stored_trace::SummaryFields;
use crate::format::record::RecordKind;
use crate::format::{FormatError, codec, record};

/// Counts and durations of one flow within a block.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FlowStats {
    pub(crate) name: String,
    pub(crate) count: u32,
    pub(crate) failed: u32,
    pub(crate) max_duration_ns: u64,
    /// Number of requests that succeeded, and their shortest and longest duration.
    pub(crate) succeeded: u32,
    pub(crate) fastest_ns: u64,
    pub(crate) slowest_ns: u64,
}

/// The index of a block: counts and bounds of its traces.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BlockIndex {
    pub(crate) count: u32,
    pub(crate) min_id: RequestId,
    pub(crate) max_id: RequestId,
    /// Earliest and latest start time of the requests, in nanoseconds since the Unix epoch.
    pub(crate) min_started: u64,
    pub(crate) max_started: u64,
    /// Bit set of the status classes that occur: 1xx is bit 1, and no status is bit 0.
    pub(crate) statuses: u8,
    pub(crate) flows: Vec<FlowStats>,
    /// Requests since the previous block that the policy did not keep.
    pub(crate) not_kept: u64,
    /// Requests since the previous block that were dropped because the queue was full.
    pub(crate) dropped: u64,
    /// Bytes that the block occupies in the file.
    pub(crate) bytes: u64,
    /// Keys of the values that the traces wrote to slots. Last, because it was added with schema 3.8.
    pub(crate) slots: SlotKeys,
}

impl Default for BlockIndex {
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
            dropped: 0,
            bytes: 0,
            slots: SlotKeys::default(),
        }
    }
}

impl BlockIndex {
    /// Reads the record that was written under this key.
    ///
    /// # Errors
    /// If it is damaged, or another record.
    pub fn read(key: u64, record: &[u8]) -> Result<Self, FormatError> {
        codec::decode(&record::read(RecordKind::BlockIndex, key, record)?)
    }

    pub(crate) fn add(&mut self, fields: &SummaryFields, name: &str) {
        self.count += 1;
        self.min_id = self.min_id.min(fields.id);
        self.max_id = self.max_id.max(fields.id);
        self.min_started = self.min_started.min(fields.started_unix_ns);
        self.max_started = self.max_started.max(fields.started_unix_ns);
        self.statuses |= status_bit(fields.status);
        let flow = self.flow_mut(name);
        flow.count += 1;
        flow.failed += u32::from(fields.failed);
        flow.max_duration_ns = flow.max_duration_ns.max(fields.duration_ns);
        if fields.has_succeeded() {
            flow.succeeded += 1;
            flow.fastest_ns = flow.fastest_ns.min(fields.duration_ns);
            flow.slowest_ns = flow.slowest_ns.max(fields.duration_ns);
        }
    }

    fn flow_mut(&mut self, name: &str) -> &mut FlowStats {
        let at = self.flows.iter().position(|flow| flow.name == name).unwrap_or_else(|| {
            let name = name.to_owned();
            self.flows.push(FlowStats {
                name,
                count: 0,
                failed: 0,
                max_duration_ns: 0,
                succeeded: 0,
                fastest_ns: u64::MAX,
                slowest_ns: 0,
            });
            self.flows.len() - 1
        });
        &mut self.flows[at]
    }

    /// Adds the traces of another block, for the index of both, which has no keys of values.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.min_id = self.min_id.min(other.min_id);
        self.max_id = self.max_id.max(other.max_id);
        self.min_started = self.min_started.min(other.min_started);
        self.max_started = self.max_started.max(other.max_started);
        self.statuses |= other.statuses;
        for added in &other.flows {
            let flow = self.flow_mut(&added.name);
            flow.count = flow.count.saturating_add(added.count);
            flow.failed = flow.failed.saturating_add(added.failed);
            flow.max_duration_ns = flow.max_duration_ns.max(added.max_duration_ns);
            flow.succeeded = flow.succeeded.saturating_add(added.succeeded);
            flow.fastest_ns = flow.fastest_ns.min(added.fastest_ns);
            flow.slowest_ns = flow.slowest_ns.max(added.slowest_ns);
        }
        self.not_kept = self.not_kept.saturating_add(other.not_kept);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.slots = SlotKeys::default();
    }

    /// Returns true if an id lies between the lowest and the highest of the block.
    pub(crate) fn may_contain(&self, id: RequestId) -> bool {
        self.min_id <= id && id <= self.max_id
    }

    /// Returns the number of traces of the block that are sure to match a query.
    pub(crate) fn certain_matches(&self, query: &Query) -> usize {
        let Query {
            flow,
            status,
            only_failed,
            slower_than_ns,
            since_unix_ns,
            until_unix_ns,
            in_progress_unix_ns,
            worker,
            slots,
            limit: _,
        } = query;
        let is_by_flow = status.is_none()
            && !only_failed
            && slower_than_ns.is_none()
            && since_unix_ns.is_none()
            && until_unix_ns.is_none()
            && in_progress_unix_ns.is_none()
            && worker.is_none()
            && slots.is_empty();
        if !is_by_flow {
            return 0;
        }
        self.flows_named(flow.as_deref()).map(|flow| flow.count as usize).sum()
    }

    /// Returns false only if no trace of the block can match the query.
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
            && query.in_progress_unix_ns.is_none_or(|(from_ns, until_ns)| {
                let longest_ns = self.flows.iter().map(|flow| flow.max_duration_ns).max().unwrap_or(0);
                self.min_started <= until_ns && self.max_started.saturating_add(longest_ns) >= from_ns
            })
            && self.flows_named(query.flow.as_deref()).any(|flow| {
                (!query.only_failed || flow.failed > 0)
                    && query.slower_than_ns.is_none_or(|ns| flow.max_duration_ns > ns)
            })
            && query.slots.iter().all(|condition| self.slots.may_meet(condition))
    }

    /// Iterates over the flows in the block: all of them, or only the one with this name.
    pub(crate) fn flows_named(&self, name: Option<&str>) -> impl Iterator<Item = &FlowStats> {
        self.flows.iter().filter(move |flow| name.is_none_or(|name| flow.name == name))
    }
}

pub(crate) const fn status_bit(status: u16) -> u8 {
    match status / 100 {
        class @ 1..=7 => 1 << class,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::block_builder::BlockBuilder;
    use crate::sample_traces;

    #[test]
    fn an_index_never_excludes_a_trace_of_its_block() {
        let trace = sample_traces::trace(3);
        let mut builder = BlockBuilder::default();
        builder.push_trace(&trace).unwrap();
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
                        assert!(!query.matches(&summary) || builder.index.may_match(&query), "{query:?}");
                        let ends_ns = summary.started_unix_ns + summary.duration_ns;
                        for ns in [summary.started_unix_ns, summary.started_unix_ns + 1, ends_ns, ends_ns + 1]
                        {
                            let (since_unix_ns, until_unix_ns) = (Some(ns), Some(ns));
                            for query in [
                                Query { in_progress_unix_ns: Some((ns, ns)), ..query.clone() },
                                Query { since_unix_ns, ..query.clone() },
                                Query { until_unix_ns, ..query.clone() },
                            ] {
                                assert!(
                                    !query.matches(&summary) || builder.index.may_match(&query),
                                    "{query:?}"
                                );
                            }
                        }
                    }
                }
            }
        }
        let query = Query { flow: Some("other".to_owned()), ..Query::default() };
        assert!(!builder.index.may_match(&query));
    }
}
