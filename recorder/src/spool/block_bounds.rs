//! The index of a block as numbers, for sources that have an index of their own.

use zerver_trace::{RequestId, StatusFilter};

use crate::block::block_index::{BlockIndex, status_bit};

/// Counts and bounds of the traces of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockBounds {
    /// Number of traces.
    pub count: u32,
    /// Lowest id.
    pub min_id: RequestId,
    /// Highest id.
    pub max_id: RequestId,
    /// Earliest start of a request, in nanoseconds since the Unix epoch.
    pub min_started_unix_ns: u64,
    /// Latest start of a request, in nanoseconds since the Unix epoch.
    pub max_started_unix_ns: u64,
    /// Duration of the longest request, in nanoseconds.
    pub longest_ns: u64,
    /// Bit set of the classes of statuses that occur, for [`BlockBounds::status_bit`].
    pub statuses: u8,
    /// Requests before the block that were dropped because the queue was full.
    pub dropped: u64,
    /// Requests before the block that the policy did not keep.
    pub not_kept: u64,
}

/// Counts and durations of one flow within a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowBounds<'b> {
    /// Name of the flow.
    pub name: &'b str,
    /// Number of requests.
    pub count: u32,
    /// Number of requests that failed.
    pub failed: u32,
    /// Duration of the longest request, in nanoseconds.
    pub longest_ns: u64,
    /// Shortest and longest duration of the requests that succeeded, in nanoseconds. `None` if none did.
    pub succeeded_ns: Option<(u64, u64)>,
}

impl BlockBounds {
    /// Returns the bit of the statuses that a filter may match.
    pub const fn status_bit(filter: StatusFilter) -> u8 {
        match filter {
            StatusFilter::Code(code) => status_bit(code),
            StatusFilter::Class(digit) => status_bit(digit.saturating_mul(100)),
        }
    }
}

impl BlockIndex {
    /// Returns the counts and bounds of the traces.
    pub fn bounds(&self) -> BlockBounds {
        BlockBounds {
            count: self.count,
            min_id: self.min_id,
            max_id: self.max_id,
            min_started_unix_ns: self.min_started,
            max_started_unix_ns: self.max_started,
            longest_ns: self.flows.iter().map(|flow| flow.max_duration_ns).max().unwrap_or(0),
            statuses: self.statuses,
            dropped: self.dropped,
            not_kept: self.not_kept,
        }
    }

    /// Iterates over the keys of the values that the traces wrote to slots, for [`crate::slot_keys`].
    pub fn slot_keys(&self) -> impl Iterator<Item = u64> {
        self.slots.iter()
    }

    /// Iterates over the flows of the traces.
    pub fn flows(&self) -> impl Iterator<Item = FlowBounds<'_>> {
        self.flows.iter().map(|flow| FlowBounds {
            name: &flow.name,
            count: flow.count,
            failed: flow.failed,
            longest_ns: flow.max_duration_ns,
            succeeded_ns: (flow.succeeded > 0).then_some((flow.fastest_ns, flow.slowest_ns)),
        })
    }
}
