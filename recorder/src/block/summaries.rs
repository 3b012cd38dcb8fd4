//! The summaries of a block, in the order of its traces: what a list shows of each request.
//!
//! Values that summaries have in common are stored once. They are referred to by consecutive numbers, and the first use
//! of a number is accompanied by its value.

use zerver_trace::{Class, Origin, Recorded, Summary};

use crate::block::compact_id;
use crate::block::stored_trace::{PieceId, SummaryFields};
use crate::format::delta_varint;
use crate::format::record::RecordKind;
use crate::format::{FormatError, codec, record};

/// Maximum total length of the texts in the summaries of a block once they are decoded, in bytes. A record that exceeds
/// it was not written by zerver.
const MAX_TEXT_BYTES: usize = 6 << 20;
/// A block is full when the texts of its summaries have this many bytes.
const FULL_TEXT_BYTES: usize = 4 << 20;

/// The fields that similar requests share: flow, method, status, class, outcome, failure, worker and origin.
type SummaryGroup = (u32, PieceId, u16, Class, &'static str, bool, Option<u16>, Option<PieceId>);

/// Encodes the summaries of a block.
///
/// Layout: for each trace its group, path, id and times, which are not compressed; the values of the groups and paths,
/// in the order of their numbers; the base time; and the offset of the second part.
#[derive(Debug, Default)]
pub(crate) struct SummariesBuilder {
    own: Vec<u8>,
    shared: Vec<u8>,
    base_ms: u64,
    groups: Vec<SummaryGroup>,
    paths: Vec<PieceId>,
    text_bytes: usize,
}

impl SummariesBuilder {
    /// Adds the summary of a trace. Method, path and origin are given as their pieces encode them.
    pub(crate) fn push(
        &mut self,
        fields: &SummaryFields,
        base_ms: u64,
        flow: &str,
        [method, path]: [&[u8]; 2],
        origin: Option<&[u8]>,
    ) {
        let SummaryFields { status, class, outcome, failed, worker, .. } = *fields;
        let group = (fields.flow, fields.method, status, class, outcome, failed, worker, fields.origin);
        let (own, shared) = (&mut self.own, &mut self.shared);
        if write_reference(group, &mut self.groups, own) {
            codec::encode_into(flow, shared);
            shared.extend_from_slice(method);
            codec::encode_into((status, class, outcome, failed, worker, authority(origin)), shared);
        }
        if write_reference(fields.path, &mut self.paths, own) {
            shared.extend_from_slice(path);
        }
        compact_id::write(fields.id, fields.started_unix_ns, base_ms, own);
        delta_varint::write(fields.duration_ns, own);
        self.base_ms = base_ms;
        self.text_bytes += flow.len() + method.len() + path.len() + origin.map_or(0, <[u8]>::len);
    }

    /// Encodes the record. More summaries may be added afterwards.
    pub(crate) fn record(&mut self, key: u64) -> Vec<u8> {
        let len = self.shared.len();
        self.shared.extend_from_slice(&self.base_ms.to_le_bytes());
        self.shared.extend_from_slice(&(self.own.len() as u32).to_le_bytes());
        let record = record::write_split(RecordKind::Summaries, key, &[&self.own], &self.shared);
        self.shared.truncate(len);
        record
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.text_bytes >= FULL_TEXT_BYTES
    }

    pub(crate) fn clear(&mut self) {
        self.own.clear();
        self.shared.clear();
        self.groups.clear();
        self.paths.clear();
        self.text_bytes = 0;
    }
}

/// Returns the authority of an encoded origin, as far as it may be shown.
fn authority(origin: Option<&[u8]>) -> String {
    let recorded = origin.and_then(|origin| codec::decode::<Recorded>(origin).ok());
    let shown = recorded.and_then(|recorded| Origin::Named(recorded).visible());
    shown.map_or_else(String::new, |(_, authority)| authority)
}

/// Appends the number of `value`, and returns true if the number is new. The value added last is the most likely one.
fn write_reference<T: PartialEq>(value: T, known: &mut Vec<T>, out: &mut Vec<u8>) -> bool {
    let at = known.iter().rposition(|known| *known == value);
    delta_varint::write(at.unwrap_or(known.len()) as u64, out);
    if at.is_none() {
        known.push(value);
    }
    at.is_none()
}

/// Decodes the summaries of a block.
pub(crate) fn read(key: u64, record: &[u8]) -> Result<Vec<Summary>, FormatError> {
    type GroupFields = (String, String, u16, Class, String, bool, Option<u16>, String);
    let raw = record::read(RecordKind::Summaries, key, record)?;
    let malformed = || FormatError::Malformed("the summaries do not fill the record".to_owned());
    let (rest, at) = raw.split_last_chunk().ok_or_else(malformed)?;
    let (rest, base_ms) = rest.split_last_chunk().ok_or_else(malformed)?;
    let base_ms = u64::from_le_bytes(*base_ms);
    let (mut own, mut shared) =
        rest.split_at_checked(u32::from_le_bytes(*at) as usize).ok_or_else(malformed)?;
    let (mut groups, mut paths): (Vec<GroupFields>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut summaries, mut left) = (Vec::new(), MAX_TEXT_BYTES);
    while !own.is_empty() {
        let group = read_reference(&mut groups, &mut own, &mut shared)?;
        let path = read_reference(&mut paths, &mut own, &mut shared)?;
        let ((flow, method, status, class, outcome, failed, worker, authority), path) =
            (&groups[group], &paths[path]);
        let taken = [flow, method, outcome, path, authority].map(String::len).iter().sum::<usize>()
            + size_of::<Summary>();
        left = left.checked_sub(taken).ok_or(FormatError::TooLarge)?;
        let (id, started_unix_ns) = compact_id::read(base_ms, &mut own)?;
        summaries.push(Summary {
            id,
            started_unix_ns,
            duration_ns: delta_varint::read(&mut own)?,
            flow: flow.clone(),
            method: method.clone(),
            path: path.clone(),
            status: *status,
            class: *class,
            outcome: outcome.clone(),
            is_failed: *failed,
            worker: *worker,
            authority: authority.clone(),
        });
    }
    if shared.is_empty() { Ok(summaries) } else { Err(malformed()) }
}

/// Reads a number from `own` and, if the number is new, its value from `shared`.
fn read_reference<T: bincode::Decode<()>>(
    known: &mut Vec<T>,
    own: &mut &[u8],
    shared: &mut &[u8],
) -> Result<usize, FormatError> {
    let number = delta_varint::read(own)?;
    if number == known.len() as u64 {
        let (value, after) = codec::decode_prefix(shared)?;
        known.push(value);
        *shared = after;
    }
    let at = usize::try_from(number).ok().filter(|&at| at < known.len());
    at.ok_or_else(|| FormatError::Malformed("a summary refers to a missing value".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::block_builder::BlockBuilder;
    use crate::sample_traces;

    #[test]
    fn a_damaged_record_is_an_error_or_other_summaries() {
        let mut builder = BlockBuilder::default();
        let traces: Vec<_> = (0..3).map(sample_traces::trace).collect();
        traces.iter().for_each(|trace| builder.push_trace(trace).unwrap());
        let record = builder.summaries.record(1);
        let wanted: Vec<_> = traces.iter().map(zerver_trace::Trace::summary).collect();
        assert_eq!(read(1, &record).unwrap(), wanted);
        let raw = record::read(RecordKind::Summaries, 1, &record).unwrap();
        for at in 0..raw.len() {
            let _ = read(1, &record::write(RecordKind::Summaries, 1, &raw[..at]));
            for bomb in [0, 1, 200, 255] {
                let mut raw = raw.to_vec();
                raw[at] = bomb;
                let _ = read(1, &record::write(RecordKind::Summaries, 1, &raw));
            }
        }
    }

    #[test]
    fn a_long_path_in_every_trace_fills_the_block_or_is_an_error() {
        let mut trace = sample_traces::trace(1);
        trace.path = "/".repeat(16 << 10);
        let mut builder = BlockBuilder::default();
        let full = (0..100_000).find(|_| {
            builder.push_trace(&trace).unwrap();
            builder.summaries.is_full()
        });
        assert_eq!(read(1, &builder.summaries.record(1)).unwrap().len(), full.unwrap() + 1);
        (0..1000).for_each(|_| builder.push_trace(&trace).unwrap());
        assert_eq!(read(1, &builder.summaries.record(1)), Err(FormatError::TooLarge));
    }
}
