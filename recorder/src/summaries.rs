//! The summaries of a block, in the order of its traces: what a list shows of each. What they have in common is there
//! once: where a number comes for the first time, what it stands for follows it.

use zerver_trace::{Class, Origin, Recorded, Summary};

use crate::format::{self, FormatError, Kind};
use crate::numbers;
use crate::row::{Glance, Piece, put_id, take_id};

/// The texts of a block's summaries may have so many bytes together, each counted as often as it is named. More of them
/// are no block of ours.
const TEXTS: usize = 6 << 20;
/// With so many a block is full.
const FULL_TEXTS: usize = 4 << 20;

/// What the summaries of one sort have in common: the flow, the method, how it ended, the worker, and the authority.
type Sort = (u32, Piece, u16, Class, &'static str, bool, Option<u16>, Option<Piece>);

/// Summaries that are being written. They are laid out as two numbers (sort and path), the id and the times of each,
/// which are not compressed; then what each number stands for, where it is new; then the time from which they count, and
/// where the second part begins.
#[derive(Debug, Default)]
pub(crate) struct Summaries {
    own: Vec<u8>,
    shared: Vec<u8>,
    base_ms: u64,
    sorts: Vec<Sort>,
    paths: Vec<Piece>,
    texts: usize,
}

impl Summaries {
    /// Adds one for a row: with the name of its flow, and with what its method, its path and its origin encode to.
    pub(crate) fn push(
        &mut self,
        row: &Glance,
        base_ms: u64,
        flow: &str,
        [method, path]: [&[u8]; 2],
        origin: Option<&[u8]>,
    ) {
        let Glance { status, class, outcome, failed, worker, .. } = *row;
        let sort = (row.flow, row.method, status, class, outcome, failed, worker, row.origin);
        let (own, shared) = (&mut self.own, &mut self.shared);
        if put(sort, &mut self.sorts, own) {
            format::encode_into(flow, shared);
            shared.extend_from_slice(method);
            format::encode_into((status, class, outcome, failed, worker, authority(origin)), shared);
        }
        if put(row.path, &mut self.paths, own) {
            shared.extend_from_slice(path);
        }
        put_id(row.id, row.started_unix_ns, base_ms, own);
        numbers::put(row.duration_ns, own);
        self.base_ms = base_ms;
        self.texts += flow.len() + method.len() + path.len() + origin.map_or(0, <[u8]>::len);
    }

    /// The record of them.
    pub(crate) fn record(&mut self, key: u64) -> Vec<u8> {
        let len = self.shared.len();
        self.shared.extend_from_slice(&self.base_ms.to_le_bytes());
        self.shared.extend_from_slice(&(self.own.len() as u32).to_le_bytes());
        let record = format::seal_parts(Kind::Summaries, key, &self.own, &self.shared);
        self.shared.truncate(len);
        record
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.texts >= FULL_TEXTS
    }

    pub(crate) fn clear(&mut self) {
        self.own.clear();
        self.shared.clear();
        self.sorts.clear();
        self.paths.clear();
        self.texts = 0;
    }
}

/// The authority in what an origin encodes to, as far as it may be shown.
fn authority(origin: Option<&[u8]>) -> String {
    let recorded = origin.and_then(|origin| format::decode::<Recorded>(origin).ok());
    let shown = recorded.and_then(|recorded| Origin::Named(recorded).visible());
    shown.map_or_else(String::new, |(_, authority)| authority)
}

/// Appends the number of something, and says whether it is a new one. What came last mostly comes again.
fn put<T: PartialEq>(thing: T, known: &mut Vec<T>, out: &mut Vec<u8>) -> bool {
    let at = known.iter().rposition(|known| *known == thing);
    numbers::put(at.unwrap_or(known.len()) as u64, out);
    if at.is_none() {
        known.push(thing);
    }
    at.is_none()
}

/// The summaries of a block in their order.
pub(crate) fn read(key: u64, record: &[u8]) -> Result<Vec<Summary>, FormatError> {
    type Told = (String, String, u16, Class, String, bool, Option<u16>, String);
    let raw = format::open_record(Kind::Summaries, key, record)?;
    let odd = || FormatError::Malformed("the summaries do not fill their record".to_owned());
    let (rest, at) = raw.split_last_chunk().ok_or_else(odd)?;
    let (rest, base_ms) = rest.split_last_chunk().ok_or_else(odd)?;
    let base_ms = u64::from_le_bytes(*base_ms);
    let (mut own, mut shared) = rest.split_at_checked(u32::from_le_bytes(*at) as usize).ok_or_else(odd)?;
    let (mut sorts, mut paths): (Vec<Told>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut summaries, mut left) = (Vec::new(), TEXTS);
    while !own.is_empty() {
        let sort = take(&mut sorts, &mut own, &mut shared)?;
        let path = take(&mut paths, &mut own, &mut shared)?;
        let ((flow, method, status, class, outcome, failed, worker, authority), path) =
            (&sorts[sort], &paths[path]);
        let taken = [flow, method, outcome, path, authority].map(String::len).iter().sum::<usize>()
            + size_of::<Summary>();
        left = left.checked_sub(taken).ok_or(FormatError::TooLarge)?;
        let (id, started_unix_ns) = take_id(base_ms, &mut own)?;
        summaries.push(Summary {
            id,
            started_unix_ns,
            duration_ns: numbers::take(&mut own)?,
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
    if shared.is_empty() { Ok(summaries) } else { Err(odd()) }
}

/// Takes a number from the start of `own`, and from `shared` what it stands for where it is a new one.
fn take<T: bincode::Decode<()>>(
    known: &mut Vec<T>,
    own: &mut &[u8],
    shared: &mut &[u8],
) -> Result<usize, FormatError> {
    let number = numbers::take(own)?;
    if number == known.len() as u64 {
        let (thing, after) = format::decode_prefix(shared)?;
        known.push(thing);
        *shared = after;
    }
    let at = usize::try_from(number).ok().filter(|&at| at < known.len());
    at.ok_or_else(|| FormatError::Malformed("a summary has something that is not there".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Open;
    use crate::sample;

    #[test]
    fn what_is_cut_off_or_names_too_much_is_an_error() {
        let mut open = Open::default();
        let traces: Vec<_> = (0..3).map(sample::trace).collect();
        traces.iter().for_each(|trace| open.push_trace(trace).unwrap());
        let record = open.summaries.record(1);
        let wanted: Vec<_> = traces.iter().map(zerver_trace::Trace::summary).collect();
        assert_eq!(read(1, &record).unwrap(), wanted);
        let raw = format::open_record(Kind::Summaries, 1, &record).unwrap();
        for at in 0..raw.len() {
            let _ = read(1, &format::seal_record(Kind::Summaries, 1, &raw[..at]));
            for bomb in [0, 1, 200, 255] {
                let mut raw = raw.to_vec();
                raw[at] = bomb;
                let _ = read(1, &format::seal_record(Kind::Summaries, 1, &raw));
            }
        }
    }

    #[test]
    fn one_long_path_again_and_again_fills_a_block_or_is_an_error() {
        let mut trace = sample::trace(1);
        trace.path = "/".repeat(16 << 10);
        let mut open = Open::default();
        let full = (0..100_000).find(|_| {
            open.push_trace(&trace).unwrap();
            open.summaries.is_full()
        });
        assert_eq!(read(1, &open.summaries.record(1)).unwrap().len(), full.unwrap() + 1);
        (0..1000).for_each(|_| open.push_trace(&trace).unwrap());
        assert_eq!(read(1, &open.summaries.record(1)), Err(FormatError::TooLarge));
    }
}
