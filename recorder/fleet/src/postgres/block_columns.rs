//! Closed blocks as the columns of the tables.

use tokio_postgres::types::Type;
use zerver_recorder::ClosedBlock;
use zerver_trace::RequestId;

use crate::postgres::connection::Parameter;

const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;
/// Time that the ids of a block may span, in milliseconds, so that it is found by its lowest id alone.
pub(crate) const NARROW_MS: u64 = 10 * 60 * 1000;

/// Returns the day of a time, counted from 1970.
pub(crate) fn day_of(unix_ns: u64) -> i32 {
    i32::try_from(unix_ns / DAY_NS).unwrap_or(i32::MAX)
}

/// Returns a number as PostgreSQL has it. No time and no count that is real is as high as its maximum.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Returns an id as bytes, which compare as ids do.
pub(crate) fn id_bytes(id: RequestId) -> Vec<u8> {
    id.as_u128().to_be_bytes().to_vec()
}

/// Returns the time in an id that is a version 7 UUID, in milliseconds since the Unix epoch.
pub(crate) const fn id_ms(id: RequestId) -> u64 {
    (id.as_u128() >> 80) as u64
}

/// Returns keys as the text of an array, because an array of arrays has only one length.
fn array_text(keys: impl Iterator<Item = u64>) -> String {
    let keys: Vec<String> = keys.map(|key| key.cast_signed().to_string()).collect();
    format!("{{{}}}", keys.join(","))
}

/// Blocks and their flows, as one array for each column.
#[derive(Debug, Default)]
pub(super) struct BlockColumns<'b> {
    seq: Vec<i64>,
    day: Vec<i32>,
    n: Vec<i32>,
    min_id: Vec<Vec<u8>>,
    max_id: Vec<Vec<u8>>,
    wide: Vec<bool>,
    min_ns: Vec<i64>,
    max_ns: Vec<i64>,
    longest_ns: Vec<i64>,
    statuses: Vec<i16>,
    dropped: Vec<i64>,
    head: Vec<&'b [u8]>,
    summaries: Vec<&'b [u8]>,
    body: Vec<&'b [u8]>,
    slots: Vec<String>,
    flow_seq: Vec<i64>,
    flow: Vec<&'b str>,
    flow_n: Vec<i32>,
    flow_failed: Vec<i32>,
    flow_longest_ns: Vec<i64>,
    flow_fastest_ns: Vec<Option<i64>>,
    flow_slowest_ns: Vec<Option<i64>>,
}

impl<'b> BlockColumns<'b> {
    pub(super) fn new(blocks: &'b [ClosedBlock]) -> Self {
        let mut columns = Self::default();
        blocks.iter().for_each(|block| columns.push(block));
        columns
    }

    fn push(&mut self, block: &'b ClosedBlock) {
        let bounds = block.index.bounds();
        let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let seq = number(block.seq);
        self.seq.push(seq);
        self.day.push(day_of(bounds.max_started_unix_ns));
        self.n.push(count(bounds.count));
        self.min_id.push(id_bytes(bounds.min_id));
        self.max_id.push(id_bytes(bounds.max_id));
        self.wide.push(id_ms(bounds.max_id).saturating_sub(id_ms(bounds.min_id)) > NARROW_MS);
        self.min_ns.push(number(bounds.min_started_unix_ns));
        self.max_ns.push(number(bounds.max_started_unix_ns));
        self.longest_ns.push(number(bounds.longest_ns));
        self.statuses.push(i16::from(bounds.statuses));
        self.dropped.push(number(bounds.dropped));
        self.head.push(&block.index_record);
        self.summaries.push(&block.summaries);
        self.body.push(&block.body);
        self.slots.push(array_text(block.index.slot_keys()));
        for flow in block.index.flows() {
            self.flow_seq.push(seq);
            self.flow.push(flow.name);
            self.flow_n.push(count(flow.count));
            self.flow_failed.push(count(flow.failed));
            self.flow_longest_ns.push(number(flow.longest_ns));
            self.flow_fastest_ns.push(flow.succeeded_ns.map(|(fastest, _)| number(fastest)));
            self.flow_slowest_ns.push(flow.succeeded_ns.map(|(_, slowest)| number(slowest)));
        }
    }

    /// Returns the parameters of the function `ship` that follow those of the node.
    pub(super) fn parameters(&self) -> [Parameter<'_>; 22] {
        [
            (&self.seq, Type::INT8_ARRAY),
            (&self.day, Type::INT4_ARRAY),
            (&self.n, Type::INT4_ARRAY),
            (&self.min_id, Type::BYTEA_ARRAY),
            (&self.max_id, Type::BYTEA_ARRAY),
            (&self.wide, Type::BOOL_ARRAY),
            (&self.min_ns, Type::INT8_ARRAY),
            (&self.max_ns, Type::INT8_ARRAY),
            (&self.longest_ns, Type::INT8_ARRAY),
            (&self.statuses, Type::INT2_ARRAY),
            (&self.dropped, Type::INT8_ARRAY),
            (&self.head, Type::BYTEA_ARRAY),
            (&self.summaries, Type::BYTEA_ARRAY),
            (&self.body, Type::BYTEA_ARRAY),
            (&self.flow_seq, Type::INT8_ARRAY),
            (&self.flow, Type::TEXT_ARRAY),
            (&self.flow_n, Type::INT4_ARRAY),
            (&self.flow_failed, Type::INT4_ARRAY),
            (&self.flow_longest_ns, Type::INT8_ARRAY),
            (&self.flow_fastest_ns, Type::INT8_ARRAY),
            (&self.flow_slowest_ns, Type::INT8_ARRAY),
            (&self.slots, Type::TEXT_ARRAY),
        ]
    }
}
