//! The filtered and sorted list of requests. It is updated incrementally as requests arrive, never rebuilt for one of
//! them.

use super::filter::Filter;
use super::request_index::RequestIndex;
use super::sequence_number::Seq;

/// Number of requests scanned in one turn, so that keys never wait.
pub(crate) const SCAN_CHUNK: usize = 1 << 16;

/// Distance up to which keys are moved one by one; above it, in bulk.
const NEAR: usize = 64;

/// Order of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SortOrder {
    #[default]
    Newest,
    Slowest,
    /// Highest status first.
    Status,
}

impl SortOrder {
    /// Returns the next order, cyclically.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::Newest => Self::Slowest,
            Self::Slowest => Self::Status,
            Self::Status => Self::Newest,
        }
    }
}

/// Sort value and number of a request, packed: smaller sorts first, and the newer of equals. Durations have 40 bits (18
/// minutes); longer ones count as equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SortKey(u64);

impl SortKey {
    const SEQ_BITS: u32 = 24;
    const MAX_MAJOR: u64 = (1 << 40) - 1;
    const MIDDLE: i64 = 1 << (Self::SEQ_BITS - 1);

    fn new(seq: Seq, sort: SortOrder, index: &RequestIndex) -> Self {
        let major = match sort {
            SortOrder::Newest => 0,
            SortOrder::Slowest => index.duration_ns(seq).min(Self::MAX_MAJOR),
            SortOrder::Status => index.status(seq).into(),
        };
        let newer_first = (Self::MIDDLE - 1 - i64::from(seq)) as u64;
        Self((Self::MAX_MAJOR - major) << Self::SEQ_BITS | newer_first)
    }

    const fn major(self) -> u64 {
        self.0 >> Self::SEQ_BITS
    }

    const fn newer_first(self) -> u64 {
        self.0 & ((1 << Self::SEQ_BITS) - 1)
    }

    const fn seq(self) -> Seq {
        (Self::MIDDLE - 1 - self.newer_first() as i64) as Seq
    }
}

/// Requests in the list.
#[derive(Debug, Default)]
pub(crate) struct RequestList {
    filter: Filter,
    sort: SortOrder,
    /// Admitted requests from before the start, newest first.
    older: Vec<Seq>,
    /// Admitted requests since the start, oldest first.
    newer: Vec<Seq>,
    /// All admitted requests in order, unless the order is by time.
    sorted: Vec<SortKey>,
    /// Range of requests already scanned.
    seen: (Seq, Seq),
    /// Requests whose slots must be read before they are admitted.
    unscanned: Vec<Seq>,
    /// Requests admitted since the last [`RequestList::take_admitted`].
    admitted: Vec<Seq>,
}

impl RequestList {
    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(crate) const fn sort(&self) -> SortOrder {
        self.sort
    }

    /// Sets the filter and the order. [`RequestList::catch_up`] then finds the matches, newest first.
    pub(crate) fn set(&mut self, filter: Filter, sort: SortOrder, index: &RequestIndex) {
        let is_short = !self.is_plain() && self.len(index) <= SCAN_CHUNK;
        if is_short && sort == self.sort && filter.narrows(&self.filter) {
            return self.narrow(filter, index);
        }
        // An empty range at the newest end: everything is still to be scanned.
        let end = index.range().end;
        *self = Self { filter, sort, seen: (end, end), ..Self::default() };
    }

    /// Applies a filter that admits only what the current one admits.
    fn narrow(&mut self, filter: Filter, index: &RequestIndex) {
        let is_in = |seq: Seq| filter.admits(seq, index) == Some(true);
        self.older.retain(|seq| is_in(*seq));
        self.newer.retain(|seq| is_in(*seq));
        self.sorted.retain(|key| is_in(key.seq()));
        self.filter = filter;
        self.admitted = self.older.iter().chain(&self.newer).copied().collect();
    }

    /// Returns true if the index holds requests not scanned yet.
    pub(crate) fn is_behind(&self, index: &RequestIndex) -> bool {
        !self.is_plain() && self.seen != (index.range().start, index.range().end)
    }

    /// Returns true if the list equals the index, so that nothing is stored here.
    fn is_plain(&self) -> bool {
        self.filter.is_empty() && self.sort == SortOrder::Newest
    }

    /// Scans the index: all new requests, and `most` older ones or all down to `down_to`.
    pub(crate) fn catch_up(&mut self, index: &RequestIndex, most: usize, down_to: Option<Seq>) {
        let mut range = index.range();
        let (first, end) = self.seen;
        if self.is_plain() {
            self.seen = (range.start, range.end);
            return;
        }
        let last = first.saturating_sub(Seq::try_from(most).unwrap_or(Seq::MAX));
        range.start = range.start.max(down_to.map_or(last, |seq| last.min(seq)));
        self.seen = (range.start, range.end);
        let (mut older, mut newer, mut unscanned) = (Vec::new(), Vec::new(), Vec::new());
        // Newest first, because users look at those. Requests that arrived since the start may be scanned backwards, too.
        for seq in (end..range.end).rev().chain((range.start..first).rev()) {
            match self.filter.admits(seq, index) {
                Some(true) if seq >= 0 => newer.push(seq),
                Some(true) => older.push(seq),
                Some(false) => {}
                None => unscanned.push(seq),
            }
        }
        newer.reverse();
        let new = unscanned.iter().filter(|seq| **seq >= end).count();
        self.unscanned.splice(0..0, unscanned.drain(..new));
        self.unscanned.append(&mut unscanned);
        self.admit(&older, &newer, index);
    }

    /// Takes the requests whose slots must be read, newest first.
    pub(crate) fn take_unscanned(&mut self) -> Vec<Seq> {
        std::mem::take(&mut self.unscanned)
    }

    /// Admits requests whose slots were read and match.
    pub(crate) fn admit_scanned(&mut self, seqs: &[Seq], index: &RequestIndex) {
        let (older, newer): (Vec<Seq>, Vec<Seq>) = seqs.iter().partition(|seq| **seq < 0);
        self.admit(&older, &newer, index);
    }

    /// Takes the requests admitted since the last call. After [`RequestList::set`], all of them count as new.
    pub(crate) fn take_admitted(&mut self) -> Vec<Seq> {
        std::mem::take(&mut self.admitted)
    }

    fn admit(&mut self, older: &[Seq], newer: &[Seq], index: &RequestIndex) {
        if !self.filter.is_empty() {
            self.admitted.extend_from_slice(older);
            self.admitted.extend_from_slice(newer);
        }
        extend_sorted(&mut self.older, older, |seq| -i64::from(seq));
        extend_sorted(&mut self.newer, newer, i64::from);
        if self.sort != SortOrder::Newest && !(older.is_empty() && newer.is_empty()) {
            let key = |seq: &Seq| SortKey::new(*seq, self.sort, index);
            let mut more: Vec<SortKey> = newer.iter().rev().chain(older).map(key).collect();
            // Requests mostly arrive newest first; then only the sort value matters, and a stable sort of few distinct
            // values is fast.
            if more.is_sorted_by_key(|key| key.newer_first()) {
                more.sort_by_key(|key| key.major());
            } else {
                more.sort_unstable();
            }
            merge(&mut self.sorted, &more);
        }
    }

    pub(crate) fn len(&self, index: &RequestIndex) -> usize {
        if self.is_plain() { index.len() } else { self.older.len() + self.newer.len() }
    }

    /// Returns the request at a position, counted from the top.
    pub(crate) fn nth(&self, position: usize, index: &RequestIndex) -> Option<Seq> {
        if self.is_plain() {
            return index.nth_newest(position);
        }
        if self.sort != SortOrder::Newest {
            return self.sorted.get(position).map(|key| key.seq());
        }
        match self.newer.len().checked_sub(position + 1) {
            Some(at) => Some(self.newer[at]),
            None => self.older.get(position - self.newer.len()).copied(),
        }
    }

    /// Returns the position of a request, or the one it would have.
    pub(crate) fn position(&self, seq: Seq, index: &RequestIndex) -> usize {
        if self.is_plain() {
            return index.position(seq).unwrap_or(0);
        }
        if self.sort != SortOrder::Newest {
            let key = SortKey::new(seq, self.sort, index);
            return self.sorted.partition_point(|other| *other < key);
        }
        if seq < 0 {
            self.newer.len() + self.older.partition_point(|other| *other > seq)
        } else {
            self.newer.len() - self.newer.partition_point(|other| *other <= seq)
        }
    }
}

/// Adds requests that mostly belong at the end.
fn extend_sorted(all: &mut Vec<Seq>, more: &[Seq], key: impl Fn(Seq) -> i64) {
    let is_at_end = all.last().zip(more.first()).is_none_or(|(last, first)| key(*last) < key(*first));
    let is_in_order = more.windows(2).all(|pair| key(pair[0]) < key(pair[1]));
    all.extend_from_slice(more);
    if !(is_at_end && is_in_order) {
        all.sort_unstable_by_key(|seq| key(*seq));
    }
}

/// Merges sorted keys into sorted keys, from the end. Keys before all new ones stay in place. Others move one by one in
/// small gaps, and in bulk in large ones.
fn merge(all: &mut Vec<SortKey>, more: &[SortKey]) {
    let mut end = all.len();
    all.extend_from_slice(more);
    for (left, key) in more.iter().enumerate().rev() {
        let far = end.saturating_sub(NEAR);
        while end > far && all[end - 1] > *key {
            all[end + left] = all[end - 1];
            end -= 1;
        }
        if end == far {
            let start = insertion_point(&all[..end], *key);
            all.copy_within(start..end, start + left + 1);
            end = start;
        }
        all[end + left] = *key;
    }
}

/// Returns the insertion point of a key, found from the end in growing steps.
fn insertion_point(all: &[SortKey], key: SortKey) -> usize {
    let mut reach = 1;
    while reach <= all.len() && all[all.len() - reach] > key {
        reach *= 2;
    }
    let first = all.len().saturating_sub(reach);
    let end = all.len() - reach / 2;
    first + all[first..end].partition_point(|other| *other < key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerver_trace::{Class, RequestId, Summary};

    use super::*;

    fn parse(text: &str) -> Option<Filter> {
        Filter::parse(text, &zerver_analysis::QueryClock::utc(0)).ok()
    }

    fn request(n: u64) -> Summary {
        Summary {
            id: RequestId::from_u128(n.into()),
            flow: "todos".into(),
            method: "GET".into(),
            path: format!("/{}", n % 7),
            status: 200 + (n % 3) as u16,
            duration_ns: n * 7_919 % 1_000,
            class: Class::Default,
            started_unix_ns: n,
            outcome: "done".into(),
            is_failed: false,
            worker: None,
            authority: String::new(),
        }
    }

    proptest! {
        #[test]
        fn sorted_keys_are_merged(
            all in prop::collection::vec(0u64..500, 0..300), more in prop::collection::vec(0u64..500, 0..60),
        ) {
            // No two keys are equal, because the numbers differ.
            let keys = |keys: &[u64], bit| keys.iter().map(|key| SortKey(key << 1 | bit)).collect::<std::collections::BTreeSet<_>>();
            let (before, new) = (keys(&all, 0), keys(&more, 1));
            let mut merged: Vec<SortKey> = before.iter().copied().collect();
            merge(&mut merged, &new.iter().copied().collect::<Vec<_>>());
            let wanted: Vec<SortKey> = before.union(&new).copied().collect();
            prop_assert_eq!(merged, wanted);
        }

        #[test]
        fn an_incremental_list_equals_a_rebuilt_one(
            steps in prop::collection::vec((any::<bool>(), 0usize..40), 0..12), filter in 0usize..3, sort in 0usize..3,
        ) {
            let filter = parse(["", "faster:500ns", "status:201 slower:300ns"][filter]).unwrap();
            let sort = [SortOrder::Newest, SortOrder::Slowest, SortOrder::Status][sort];
            let (mut index, mut grown) = (RequestIndex::default(), RequestList::default());
            grown.set(filter.clone(), sort, &index);
            let (mut oldest, mut newest) = (10_000u64, 10_000u64);
            for (is_newer, n) in steps {
                let n = n as u64;
                if is_newer {
                    index.push_newer(&(newest..newest + n).map(request).collect::<Vec<_>>());
                    newest += n;
                } else {
                    index.push_older(&(oldest - n..oldest).rev().map(request).collect::<Vec<_>>());
                    oldest -= n;
                }
                grown.catch_up(&index, 7, None);
            }
            while grown.is_behind(&index) {
                grown.catch_up(&index, 7, None);
            }
            let mut rebuilt = RequestList::default();
            rebuilt.set(filter, sort, &index);
            while rebuilt.is_behind(&index) {
                rebuilt.catch_up(&index, 13, None);
            }
            let len = rebuilt.len(&index);
            prop_assert_eq!(grown.len(&index), len);
            for position in 0..len {
                let seq = rebuilt.nth(position, &index);
                prop_assert_eq!(grown.nth(position, &index), seq);
                prop_assert_eq!(grown.position(seq.unwrap(), &index), position);
            }
            prop_assert_eq!(grown.nth(len, &index), None);
        }

        #[test]
        fn a_narrowed_list_equals_a_rebuilt_one(
            words in prop::collection::vec("[a-c/5]{0,2}|status:2|status:20|slower:[1-9]00ns|!a|flow:t|flow:to", 0..4),
            more in "[a-c/5]{0,2}|[1-9]", sort in 0usize..3,
        ) {
            let mut index = RequestIndex::default();
            index.push_older(&(0..300).rev().map(request).collect::<Vec<_>>());
            index.push_newer(&(300..400).map(request).collect::<Vec<_>>());
            let sort = [SortOrder::Newest, SortOrder::Slowest, SortOrder::Status][sort];
            let text = words.join(" ");
            let (Some(wide), Some(narrow)) = (parse(&text), parse(&format!("{text}{more}"))) else {
                return Ok(());
            };
            let all = |list: &mut RequestList| {
                while list.is_behind(&index) {
                    list.catch_up(&index, 50, None);
                }
                (0..list.len(&index)).map(|position| list.nth(position, &index).unwrap()).collect::<Vec<_>>()
            };
            let (mut narrowed, mut rebuilt) = (RequestList::default(), RequestList::default());
            narrowed.set(wide, sort, &index);
            narrowed.catch_up(&index, 120, None);
            narrowed.set(narrow.clone(), sort, &index);
            rebuilt.set(narrow, sort, &index);
            prop_assert_eq!(all(&mut narrowed), all(&mut rebuilt));
        }
    }
}
