//! The index of requests: compact columns, for millions of them.
//!
//! Requests are added at both ends: older ones in pages, and new ones as they are recorded. Each has a [`Seq`] that
//! never changes and follows the order of the store. The index neither reads a store nor draws.

use zerver_trace::{Class, RequestId, Summary, is_client_error};

use super::chunked_column::ChunkedColumn;
use super::id_buckets::{IdBuckets, TIME_DIGITS};
use super::sequence_number::Seq;
use super::string_table::{PathTable, StringTable};

/// Number of requests above which the oldest are dropped.
const MAX_ROWS: usize = 3_000_000;
/// Number of requests kept when the oldest are dropped.
const KEPT_ROWS: usize = 2_000_000;
/// Marks an unknown worker; no machine has this many.
const NO_WORKER: u16 = u16::MAX;
/// Numbers of digits to which ids are shortened: whole groups of a UUID from the first twelve digits on.
const ID_DIGITS: [usize; 3] = [TIME_DIGITS, 16, 20];
/// Number of digits of a full id.
const FULL_ID: usize = 32;
/// Maximum number of ids compared to shorten one. Above it, the full id is shown.
const MAX_COMPARED_IDS: usize = 512;

/// All known requests.
#[derive(Debug, Default)]
pub(crate) struct RequestIndex {
    older: RequestColumns,
    newer: RequestColumns,
    strings: StringTable,
    paths: PathTable,
    buckets: IdBuckets,
    /// True once everything that the store held has arrived.
    is_complete: bool,
}

#[derive(Debug, Default)]
struct RequestColumns {
    id: ChunkedColumn<u128>,
    started_unix_ns: ChunkedColumn<u64>,
    duration_ns: ChunkedColumn<u64>,
    path: ChunkedColumn<u32>,
    status: ChunkedColumn<u16>,
    flow: ChunkedColumn<u16>,
    method: ChunkedColumn<u16>,
    outcome: ChunkedColumn<u16>,
    class_failed: ChunkedColumn<u8>,
    worker: ChunkedColumn<u16>,
    next_in_bucket: ChunkedColumn<Seq>,
}

/// Request of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestRow<'a> {
    pub(crate) seq: Seq,
    pub(crate) id: RequestId,
    pub(crate) started_unix_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) status: u16,
    pub(crate) class: Class,
    pub(crate) failed: bool,
    /// Number of the flow, equal for equal flows.
    pub(crate) flow_number: u16,
    /// Path as recorded, to be sanitized before drawing. Long paths are truncated.
    pub(crate) path: &'a str,
    pub(crate) flow: &'a str,
    pub(crate) method: &'a str,
    pub(crate) outcome: &'a str,
    /// Worker of the connection, if known.
    pub(crate) worker: Option<u16>,
}

impl<'a> RequestRow<'a> {
    /// Returns true under the same conditions as [`Summary::is_error`].
    pub(crate) const fn is_error(&self) -> bool {
        self.failed && !is_client_error(self.status)
    }

    /// Converts a summary to a row without a number.
    fn from_summary(request: &'a Summary) -> Self {
        Self {
            seq: 0,
            id: request.id,
            started_unix_ns: request.started_unix_ns,
            duration_ns: request.duration_ns,
            status: request.status,
            class: request.class,
            failed: request.is_failed,
            flow_number: 0,
            path: &request.path,
            flow: &request.flow,
            method: &request.method,
            outcome: &request.outcome,
            worker: request.worker,
        }
    }
}

impl RequestIndex {
    /// Adds older requests, the newest of them first.
    pub(crate) fn push_older(&mut self, requests: &[Summary]) {
        if self.is_complete {
            return;
        }
        let room = KEPT_ROWS.saturating_sub(self.len());
        for request in requests.iter().take(room) {
            self.push(&RequestRow::from_summary(request), true);
        }
        self.is_complete |= room < requests.len();
    }

    /// Drops the oldest requests if there are too many. All others are then renumbered: reduced by the returned value.
    /// Nothing older is accepted afterwards.
    pub(crate) fn compact(&mut self) -> Option<Seq> {
        (self.len() > MAX_ROWS).then(|| self.truncate(KEPT_ROWS))
    }

    pub(crate) fn truncate(&mut self, most: usize) -> Seq {
        let by = self.range().end;
        // Flows keep their numbers.
        let mut kept = Self { is_complete: true, strings: self.strings.clone(), ..Self::default() };
        for seq in self.range().rev().take(most) {
            if let Some(row) = self.row(seq) {
                kept.push(&row, true);
            }
        }
        *self = kept;
        by
    }

    /// Adds new requests, the oldest first.
    pub(crate) fn push_newer(&mut self, requests: &[Summary]) {
        for request in requests {
            self.push(&RequestRow::from_summary(request), false);
        }
    }

    fn push(&mut self, row: &RequestRow<'_>, is_older: bool) {
        let seq = if is_older { -1 - self.older.len() as Seq } else { self.newer.len() as Seq };
        let next = self.buckets.add(row.id, seq);
        let columns = if is_older { &mut self.older } else { &mut self.newer };
        columns.next_in_bucket.push(next);
        columns.push(row, &mut self.strings, &mut self.paths);
    }

    /// Records that no older requests will follow.
    pub(crate) fn mark_complete(&mut self) {
        self.is_complete = true;
    }

    /// Returns true once everything that the store held has arrived.
    pub(crate) const fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(crate) fn len(&self) -> usize {
        self.older.len() + self.newer.len()
    }

    /// Returns the range of numbers, from the oldest to the newest.
    pub(crate) fn range(&self) -> std::ops::Range<Seq> {
        -(self.older.len() as Seq)..self.newer.len() as Seq
    }

    /// Returns the request at a position, counted from the newest.
    pub(crate) fn nth_newest(&self, position: usize) -> Option<Seq> {
        (position < self.len()).then(|| self.range().end - 1 - position as Seq)
    }

    /// Returns the position of a request, counted from the newest.
    pub(crate) fn position(&self, seq: Seq) -> Option<usize> {
        self.range().contains(&seq).then(|| (self.range().end - 1 - seq) as usize)
    }

    fn at(&self, seq: Seq) -> (&RequestColumns, usize) {
        if seq < 0 { (&self.older, (-1 - seq) as usize) } else { (&self.newer, seq as usize) }
    }

    /// Returns one request.
    pub(crate) fn row(&self, seq: Seq) -> Option<RequestRow<'_>> {
        if !self.range().contains(&seq) {
            return None;
        }
        let (columns, at) = self.at(seq);
        let (class, failed) = unpack(columns.class_failed.get(at));
        Some(RequestRow {
            seq,
            id: RequestId::from_u128(columns.id.get(at)),
            started_unix_ns: columns.started_unix_ns.get(at),
            duration_ns: columns.duration_ns.get(at),
            status: columns.status.get(at),
            class,
            failed,
            flow_number: columns.flow.get(at),
            path: self.paths.get(columns.path.get(at)),
            flow: self.strings.get(columns.flow.get(at)),
            method: self.strings.get(columns.method.get(at)),
            outcome: self.strings.get(columns.outcome.get(at)),
            worker: self.worker(seq),
        })
    }

    /// Returns the name of the flow with this number.
    pub(crate) fn flow_name(&self, number: u16) -> &str {
        self.strings.get(number)
    }

    /// Returns the duration of a request, in nanoseconds.
    pub(crate) fn duration_ns(&self, seq: Seq) -> u64 {
        let (columns, at) = self.at(seq);
        columns.duration_ns.get(at)
    }

    /// Returns the HTTP status of a request.
    pub(crate) fn status(&self, seq: Seq) -> u16 {
        let (columns, at) = self.at(seq);
        columns.status.get(at)
    }

    /// Returns the worker of the connection, if known.
    pub(crate) fn worker(&self, seq: Seq) -> Option<u16> {
        let (columns, at) = self.at(seq);
        Some(columns.worker.get(at)).filter(|worker| *worker != NO_WORKER)
    }

    /// Returns the id of a request.
    pub(crate) fn id(&self, seq: Seq) -> RequestId {
        let (columns, at) = self.at(seq);
        RequestId::from_u128(columns.id.get(at))
    }

    /// Finds a request by id.
    pub(crate) fn find(&self, id: RequestId) -> Option<Seq> {
        self.same_bucket(id).find(|seq| self.id(*seq) == id)
    }

    /// Returns the number of leading digits that distinguish an id from all others in the index, in steps of whole groups,
    /// and at least 12. More are needed if another request started within the same millisecond.
    pub(crate) fn id_digits(&self, id: RequestId) -> usize {
        let mut shared = 0;
        for (compared, seq) in self.same_bucket(id).enumerate() {
            let other = self.id(seq);
            if compared == MAX_COMPARED_IDS {
                return FULL_ID;
            }
            if other != id {
                shared = shared.max(id.shared_digits(other));
            }
        }
        ID_DIGITS.into_iter().find(|digits| *digits > shared).unwrap_or(FULL_ID)
    }

    /// Returns the shortest form of an id that identifies its request among all in the index.
    pub(crate) fn short_id(&self, id: RequestId) -> String {
        id.short(self.id_digits(id))
    }

    fn same_bucket(&self, id: RequestId) -> impl Iterator<Item = Seq> {
        self.buckets.chain(id, |seq| {
            let (columns, at) = self.at(seq);
            columns.next_in_bucket.get(at)
        })
    }
}

impl RequestColumns {
    fn len(&self) -> usize {
        self.id.len()
    }

    fn push(&mut self, request: &RequestRow<'_>, strings: &mut StringTable, paths: &mut PathTable) {
        self.id.push(request.id.as_u128());
        self.started_unix_ns.push(request.started_unix_ns);
        self.duration_ns.push(request.duration_ns);
        self.path.push(paths.number(request.path));
        self.status.push(request.status);
        self.flow.push(strings.number(request.flow));
        self.method.push(strings.number(request.method));
        self.outcome.push(strings.number(request.outcome));
        self.class_failed.push(pack(request.class, request.failed));
        self.worker.push(request.worker.unwrap_or(NO_WORKER));
    }
}

const fn pack(class: Class, failed: bool) -> u8 {
    let class = match class {
        Class::Interactive => 0,
        Class::Default => 1,
        Class::Batch => 2,
    };
    class << 1 | failed as u8
}

const fn unpack(packed: u8) -> (Class, bool) {
    let class = match packed >> 1 {
        0 => Class::Interactive,
        1 => Class::Default,
        _ => Class::Batch,
    };
    (class, packed & 1 == 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerver_trace::IdPrefix;

    use super::*;

    fn request(n: u64) -> Summary {
        Summary {
            id: RequestId::from_u128(n.into()),
            flow: format!("flow-{}", n % 3),
            method: "GET".into(),
            path: format!("/todos/{n}"),
            status: 200,
            duration_ns: n * 1_000,
            class: Class::Batch,
            started_unix_ns: n,
            outcome: "done".into(),
            is_failed: n.is_multiple_of(2),
            worker: [None, Some(0), Some(1)][n as usize % 3],
            authority: String::new(),
        }
    }

    proptest! {
        #[test]
        fn a_short_id_identifies_one_request(
            ids in prop::collection::btree_set((0u128..3, 0u128..3, 0u128..3, 0u128..3, 0u128..2), 1..60),
            is_older in any::<u64>(),
        ) {
            // Few values in each group of digits, so that many ids share long prefixes.
            let id = |(a, b, c, d, e): &(u128, u128, u128, u128, u128)| {
                RequestId::from_u128(a << 80 | b << 76 | c << 60 | d << 44 | e)
            };
            let ids: Vec<RequestId> = ids.iter().map(id).collect();
            let mut index = RequestIndex::default();
            for (at, id) in ids.iter().enumerate() {
                let summary = [Summary { id: *id, ..request(0) }];
                if is_older >> at & 1 == 1 { index.push_older(&summary) } else { index.push_newer(&summary) }
            }
            for is_renumbered in [false, true] {
                if is_renumbered {
                    index.truncate(60);
                }
                for id in &ids {
                    let short: IdPrefix = index.short_id(*id).parse().unwrap();
                    let found: Vec<_> = ids.iter().filter(|other| short.matches(**other)).collect();
                    prop_assert_eq!(found, [id]);
                    prop_assert!(index.id_digits(*id) >= 12);
                    prop_assert_eq!(index.find(*id).map(|seq| index.id(seq)), Some(*id));
                }
            }
        }
    }

    #[test]
    fn ids_grow_when_another_request_starts_in_the_same_millisecond() {
        let id = |low: u128| RequestId::from_u128(0x019a_a4c2_1f3b << 80 | 7 << 76 | low << 64);
        let mut index = RequestIndex::default();
        assert_eq!(index.short_id(id(1)), "019aa4c2-1f3b", "even if it is not in the index");
        index.push_newer(&[Summary { id: id(1), ..request(0) }]);
        assert_eq!(index.short_id(id(1)), "019aa4c2-1f3b");
        index.push_newer(&[Summary { id: id(2), ..request(0) }]);
        assert_eq!(
            (index.short_id(id(1)), index.short_id(id(2))),
            ("019aa4c2-1f3b-7001".into(), "019aa4c2-1f3b-7002".into())
        );
        let crowd: Vec<Summary> = (3..2_000).map(|low| Summary { id: id(low), ..request(0) }).collect();
        index.push_newer(&crowd);
        assert_eq!(index.short_id(id(1)), id(1).to_string(), "too many to compare");
    }

    #[test]
    fn requests_come_from_both_ends_and_keep_their_numbers() {
        let mut index = RequestIndex::default();
        let older: Vec<Summary> = (0..10_000).rev().map(request).collect();
        let newer: Vec<Summary> = (10_000..20_000).map(request).collect();
        for (old, new) in older.chunks(999).zip(newer.chunks(999)) {
            index.push_older(old);
            index.push_newer(new);
        }
        assert_eq!((index.len(), index.range()), (20_000, -10_000..10_000));
        for (position, n) in (0..20_000).rev().enumerate() {
            let seq = index.nth_newest(position).unwrap();
            let row = index.row(seq).unwrap();
            let wanted = request(n);
            assert_eq!((row.id, row.path, row.flow), (wanted.id, &*wanted.path, &*wanted.flow));
            assert_eq!((row.class, row.failed, row.duration_ns), (Class::Batch, wanted.is_failed, n * 1_000));
            assert_eq!(row.worker, wanted.worker);
            assert_eq!(index.position(seq), Some(position));
        }
        assert_eq!(index.find(RequestId::from_u128(0)), Some(-10_000));
        assert_eq!(index.find(RequestId::from_u128(15_000)), Some(5_000));
        assert_eq!(index.find(RequestId::from_u128(20_000)), None);
        assert_eq!((index.row(-10_001), index.row(10_000), index.nth_newest(20_000)), (None, None, None));

        let before: Vec<u64> = index.range().map(|seq| index.duration_ns(seq)).collect();
        assert_eq!((index.compact(), index.truncate(15_000)), (None, 10_000));
        assert_eq!(index.range(), -15_000..0);
        let after: Vec<u64> = index.range().map(|seq| index.duration_ns(seq)).collect();
        assert_eq!(after, before[5_000..]);
        index.push_newer(&newer[..1]);
        index.push_older(&older[..1]);
        assert_eq!(index.range(), -15_000..1);
    }
}
