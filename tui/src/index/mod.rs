//! What the list knows of every request: columns, compact enough for a million of them.
//!
//! Requests come from both ends: older ones in pages, the newest first, and new ones as they are recorded. Each has a
//! [`Seq`] that never changes, and whose order is the order of the store. Nothing here reads a store or draws.

mod column;
mod words;

use zerver_trace::{Class, RequestId, Summary};

use self::column::Column;
use self::words::{Paths, Words};

/// The number of a request in the index: those that were there at the start count down from -1, new ones up from 0.
pub(crate) type Seq = i32;

/// With more requests than this, the oldest are left out,
const MAX_ROWS: usize = 3_000_000;
/// so that this many stay.
const KEPT_ROWS: usize = 2_000_000;
/// Where no worker is known; no machine has so many.
const NO_WORKER: u16 = u16::MAX;

/// The requests.
#[derive(Debug, Default)]
pub(crate) struct Index {
    older: Columns,
    newer: Columns,
    words: Words,
    paths: Paths,
    /// Whether all that the store held has come.
    is_whole: bool,
}

#[derive(Debug, Default)]
struct Columns {
    id: Column<u128>,
    started_unix_ns: Column<u64>,
    duration_ns: Column<u64>,
    path: Column<u32>,
    status: Column<u16>,
    flow: Column<u16>,
    method: Column<u16>,
    outcome: Column<u16>,
    class_failed: Column<u8>,
    worker: Column<u16>,
}

/// One request of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) seq: Seq,
    pub(crate) id: RequestId,
    pub(crate) started_unix_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) status: u16,
    pub(crate) class: Class,
    pub(crate) failed: bool,
    /// Equal for equal flows.
    pub(crate) flow_number: u16,
    /// As recorded: to be cleaned before it is drawn. Long ones are cut.
    pub(crate) path: &'a str,
    pub(crate) flow: &'a str,
    pub(crate) method: &'a str,
    pub(crate) outcome: &'a str,
    /// That of its connection; none where it is not known.
    pub(crate) worker: Option<u16>,
}

impl<'a> Row<'a> {
    /// A request that has no number yet.
    fn of(request: &'a Summary) -> Self {
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

impl Index {
    /// Takes in requests that are older than all there are, the newest of them first.
    pub(crate) fn push_older(&mut self, requests: &[Summary]) {
        if self.is_whole {
            return;
        }
        let room = KEPT_ROWS.saturating_sub(self.len());
        for request in requests.iter().take(room) {
            self.older.push(&Row::of(request), &mut self.words, &mut self.paths);
        }
        self.is_whole |= room < requests.len();
    }

    /// Leaves the oldest requests out if there are too many. Then all the others have new numbers, smaller by what is
    /// given back, and nothing older will come.
    pub(crate) fn compact(&mut self) -> Option<Seq> {
        (self.len() > MAX_ROWS).then(|| self.keep(KEPT_ROWS))
    }

    pub(crate) fn keep(&mut self, most: usize) -> Seq {
        let by = self.range().end;
        // Flows keep their numbers.
        let mut kept = Self { is_whole: true, words: self.words.clone(), ..Self::default() };
        for seq in self.range().rev().take(most) {
            if let Some(row) = self.row(seq) {
                kept.older.push(&row, &mut kept.words, &mut kept.paths);
            }
        }
        *self = kept;
        by
    }

    /// Takes in new requests, the oldest first.
    pub(crate) fn push_newer(&mut self, requests: &[Summary]) {
        for request in requests {
            self.newer.push(&Row::of(request), &mut self.words, &mut self.paths);
        }
    }

    /// Says that nothing older will come.
    pub(crate) fn finish(&mut self) {
        self.is_whole = true;
    }

    /// Whether all that the store held has come.
    pub(crate) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    pub(crate) fn len(&self) -> usize {
        self.older.len() + self.newer.len()
    }

    /// From the oldest to the newest, with one past it.
    pub(crate) fn range(&self) -> std::ops::Range<Seq> {
        -(self.older.len() as Seq)..self.newer.len() as Seq
    }

    /// The request at a place of the list, 0 being the newest.
    pub(crate) fn nth_newest(&self, place: usize) -> Option<Seq> {
        (place < self.len()).then(|| self.range().end - 1 - place as Seq)
    }

    /// The place of a request, 0 being the newest.
    pub(crate) fn place(&self, seq: Seq) -> Option<usize> {
        self.range().contains(&seq).then(|| (self.range().end - 1 - seq) as usize)
    }

    fn at(&self, seq: Seq) -> (&Columns, usize) {
        if seq < 0 { (&self.older, (-1 - seq) as usize) } else { (&self.newer, seq as usize) }
    }

    /// One request.
    pub(crate) fn row(&self, seq: Seq) -> Option<Row<'_>> {
        if !self.range().contains(&seq) {
            return None;
        }
        let (columns, at) = self.at(seq);
        let (class, failed) = unpack(columns.class_failed.get(at));
        Some(Row {
            seq,
            id: RequestId::from_u128(columns.id.get(at)),
            started_unix_ns: columns.started_unix_ns.get(at),
            duration_ns: columns.duration_ns.get(at),
            status: columns.status.get(at),
            class,
            failed,
            flow_number: columns.flow.get(at),
            path: self.paths.get(columns.path.get(at)),
            flow: self.words.get(columns.flow.get(at)),
            method: self.words.get(columns.method.get(at)),
            outcome: self.words.get(columns.outcome.get(at)),
            worker: self.worker(seq),
        })
    }

    /// How long one request took, in nanoseconds.
    pub(crate) fn duration_ns(&self, seq: Seq) -> u64 {
        let (columns, at) = self.at(seq);
        columns.duration_ns.get(at)
    }

    /// The status of one request.
    pub(crate) fn status(&self, seq: Seq) -> u16 {
        let (columns, at) = self.at(seq);
        columns.status.get(at)
    }

    /// The number of its flow: a text that comes again and again.
    pub(crate) fn flow(&self, seq: Seq) -> u16 {
        let (columns, at) = self.at(seq);
        columns.flow.get(at)
    }

    /// The number of its method.
    pub(crate) fn method(&self, seq: Seq) -> u16 {
        let (columns, at) = self.at(seq);
        columns.method.get(at)
    }

    /// The number of its outcome.
    pub(crate) fn outcome(&self, seq: Seq) -> u16 {
        let (columns, at) = self.at(seq);
        columns.outcome.get(at)
    }

    /// All texts that have such a number.
    pub(crate) fn words(&self) -> &[String] {
        self.words.all()
    }

    /// Where its path is kept, equal for many equal paths, and the path.
    pub(crate) fn path(&self, seq: Seq) -> (u32, &str) {
        let (columns, at) = self.at(seq);
        let number = columns.path.get(at);
        (number, self.paths.get(number))
    }

    /// Its class, and whether it failed.
    pub(crate) fn class_failed(&self, seq: Seq) -> (Class, bool) {
        let (columns, at) = self.at(seq);
        unpack(columns.class_failed.get(at))
    }

    /// The worker of its connection; none where it is not known.
    pub(crate) fn worker(&self, seq: Seq) -> Option<u16> {
        let (columns, at) = self.at(seq);
        Some(columns.worker.get(at)).filter(|worker| *worker != NO_WORKER)
    }

    /// The id of one request.
    pub(crate) fn id(&self, seq: Seq) -> RequestId {
        let (columns, at) = self.at(seq);
        RequestId::from_u128(columns.id.get(at))
    }

    /// The request with this id, if it is here. Looks from the newest to the oldest.
    pub(crate) fn find(&self, id: RequestId) -> Option<Seq> {
        let id = id.as_u128();
        let newer = self.newer.id.iter().rposition(|other| other == id).map(|at| at as Seq);
        newer.or_else(|| self.older.id.iter().position(|other| other == id).map(|at| -1 - at as Seq))
    }
}

impl Columns {
    fn len(&self) -> usize {
        self.id.len()
    }

    fn push(&mut self, request: &Row<'_>, words: &mut Words, paths: &mut Paths) {
        self.id.push(request.id.as_u128());
        self.started_unix_ns.push(request.started_unix_ns);
        self.duration_ns.push(request.duration_ns);
        self.path.push(paths.number(request.path));
        self.status.push(request.status);
        self.flow.push(words.number(request.flow));
        self.method.push(words.number(request.method));
        self.outcome.push(words.number(request.outcome));
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

    #[test]
    fn requests_come_from_both_ends_and_keep_their_numbers() {
        let mut index = Index::default();
        let older: Vec<Summary> = (0..10_000).rev().map(request).collect();
        let newer: Vec<Summary> = (10_000..20_000).map(request).collect();
        for (old, new) in older.chunks(999).zip(newer.chunks(999)) {
            index.push_older(old);
            index.push_newer(new);
        }
        assert_eq!((index.len(), index.range()), (20_000, -10_000..10_000));
        for (place, n) in (0..20_000).rev().enumerate() {
            let seq = index.nth_newest(place).unwrap();
            let row = index.row(seq).unwrap();
            let wanted = request(n);
            assert_eq!((row.id, row.path, row.flow), (wanted.id, &*wanted.path, &*wanted.flow));
            assert_eq!((row.class, row.failed, row.duration_ns), (Class::Batch, wanted.is_failed, n * 1_000));
            assert_eq!(row.worker, wanted.worker);
            assert_eq!(index.place(seq), Some(place));
        }
        assert_eq!(index.find(RequestId::from_u128(0)), Some(-10_000));
        assert_eq!(index.find(RequestId::from_u128(15_000)), Some(5_000));
        assert_eq!(index.find(RequestId::from_u128(20_000)), None);
        assert_eq!((index.row(-10_001), index.row(10_000), index.nth_newest(20_000)), (None, None, None));

        let before: Vec<u64> = index.range().map(|seq| index.duration_ns(seq)).collect();
        assert_eq!((index.compact(), index.keep(15_000)), (None, 10_000));
        assert_eq!(index.range(), -15_000..0);
        let after: Vec<u64> = index.range().map(|seq| index.duration_ns(seq)).collect();
        assert_eq!(after, before[5_000..]);
        index.push_newer(&newer[..1]);
        index.push_older(&older[..1]);
        assert_eq!(index.range(), -15_000..1);
    }
}
