//! Which requests are in the list and in which order, kept as requests come and never made anew for one of them.

use super::filter::Filter;
use crate::index::{Index, Seq};

/// So many requests are looked at before whoever waits has a turn.
pub(super) const CHUNK: usize = 1 << 16;

/// So many keys are moved one by one, and all at once where it is more.
const NEAR: usize = 64;

/// The order of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    #[default]
    Newest,
    Slowest,
    /// By status, the greatest first.
    Status,
}

impl Sort {
    /// The next one, and after the last the first.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::Newest => Self::Slowest,
            Self::Slowest => Self::Status,
            Self::Status => Self::Newest,
        }
    }
}

/// What sorts a request, and its number: smaller comes first, and among equals the newer. Of durations 40 bits count,
/// which are 18 minutes; among those that took longer, the newer comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Key {
    const SEQ_BITS: u32 = 24;
    const MAX_MAJOR: u64 = (1 << 40) - 1;
    const MIDDLE: i64 = 1 << (Self::SEQ_BITS - 1);

    fn of(seq: Seq, sort: Sort, index: &Index) -> Self {
        let major = match sort {
            Sort::Newest => 0,
            Sort::Slowest => index.duration_ns(seq).min(Self::MAX_MAJOR),
            Sort::Status => index.status(seq).into(),
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

/// The requests that are listed.
#[derive(Debug, Default)]
pub(crate) struct List {
    filter: Filter,
    sort: Sort,
    /// Of the requests that the filter lets through: those from before the start, newest first,
    older: Vec<Seq>,
    /// and those that came since, oldest first.
    newer: Vec<Seq>,
    /// All of them in their order, if that is not by time.
    sorted: Vec<Key>,
    /// Which requests have been looked at.
    seen: (Seq, Seq),
    /// Requests whose slots must be looked at before they are let through.
    waiting: Vec<Seq>,
    /// Requests that the filter has let through since [`List::take_admitted`].
    admitted: Vec<Seq>,
}

impl List {
    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(crate) const fn sort(&self) -> Sort {
        self.sort
    }

    /// Another filter or order. What it is of is found by [`List::catch_up`], the newest first.
    pub(crate) fn set(&mut self, filter: Filter, sort: Sort, index: &Index) {
        let is_short = !self.is_plain() && self.len(index) <= CHUNK;
        if is_short && sort == self.sort && filter.narrows(&self.filter) {
            return self.narrow(filter, index);
        }
        // From the newest on, all are older than what has been looked at.
        let end = index.range().end;
        *self = Self { filter, sort, seen: (end, end), ..Self::default() };
    }

    /// A filter that lets through nothing that the one before did not.
    fn narrow(&mut self, filter: Filter, index: &Index) {
        let test = filter.test(index);
        self.older.retain(|seq| test.lets(*seq));
        self.newer.retain(|seq| test.lets(*seq));
        self.sorted.retain(|key| test.lets(key.seq()));
        drop(test);
        self.filter = filter;
        self.admitted = self.older.iter().chain(&self.newer).copied().collect();
    }

    /// Whether there are requests in the index that have not been looked at.
    pub(crate) fn is_behind(&self, index: &Index) -> bool {
        !self.is_plain() && self.seen != (index.range().start, index.range().end)
    }

    /// Whether it is the whole index in its own order, and nothing is kept here.
    fn is_plain(&self) -> bool {
        self.filter.is_empty() && self.sort == Sort::Newest
    }

    /// Takes in what has come into the index: all that is new, and of what is older about so many, or down to a request.
    pub(crate) fn catch_up(&mut self, index: &Index, most: usize, down_to: Option<Seq>) {
        let mut range = index.range();
        let (first, end) = self.seen;
        if self.is_plain() {
            self.seen = (range.start, range.end);
            return;
        }
        let last = first.saturating_sub(Seq::try_from(most).unwrap_or(Seq::MAX));
        range.start = range.start.max(down_to.map_or(last, |seq| last.min(seq)));
        self.seen = (range.start, range.end);
        let test = self.filter.test(index);
        let is_in = |seq: &Seq| test.lets(*seq);
        let found = (range.start..first).rev().filter(is_in);
        // What came since the start may be looked at from its end, too.
        let (mut newer, older): (Vec<Seq>, Vec<Seq>) = found.partition(|seq| *seq >= 0);
        newer.reverse();
        newer.extend((end..range.end).filter(is_in));
        if self.filter.slots.is_empty() {
            self.admit(&older, &newer, index);
        } else {
            // The newest first: they are what people look at.
            self.waiting.splice(0..0, newer.into_iter().rev());
            self.waiting.extend(older);
        }
    }

    /// Requests whose slots must be looked at, the newest first; once.
    pub(crate) fn take_waiting(&mut self) -> Vec<Seq> {
        std::mem::take(&mut self.waiting)
    }

    /// Lets requests through whose slots have been looked at.
    pub(crate) fn let_in(&mut self, seqs: &[Seq], index: &Index) {
        let (older, newer): (Vec<Seq>, Vec<Seq>) = seqs.iter().partition(|seq| **seq < 0);
        self.admit(&older, &newer, index);
    }

    /// Requests that the filter has let through, each once; after [`List::set`], those from before it again.
    pub(crate) fn take_admitted(&mut self) -> Vec<Seq> {
        std::mem::take(&mut self.admitted)
    }

    fn admit(&mut self, older: &[Seq], newer: &[Seq], index: &Index) {
        if !self.filter.is_empty() {
            self.admitted.extend_from_slice(older);
            self.admitted.extend_from_slice(newer);
        }
        extend_sorted(&mut self.older, older, |seq| -i64::from(seq));
        extend_sorted(&mut self.newer, newer, i64::from);
        if self.sort != Sort::Newest && !(older.is_empty() && newer.is_empty()) {
            let key = |seq: &Seq| Key::of(*seq, self.sort, index);
            let mut more: Vec<Key> = newer.iter().rev().chain(older).map(key).collect();
            // Mostly they come newest first, and then only what sorts them is to be looked at: a status is one of a few.
            if more.is_sorted_by_key(|key| key.newer_first()) {
                more.sort_by_key(|key| key.major());
            } else {
                more.sort_unstable();
            }
            merge(&mut self.sorted, &more);
        }
    }

    pub(crate) fn len(&self, index: &Index) -> usize {
        if self.is_plain() { index.len() } else { self.older.len() + self.newer.len() }
    }

    /// The request at a place from the top.
    pub(crate) fn nth(&self, place: usize, index: &Index) -> Option<Seq> {
        if self.is_plain() {
            return index.nth_newest(place);
        }
        if self.sort != Sort::Newest {
            return self.sorted.get(place).map(|key| key.seq());
        }
        match self.newer.len().checked_sub(place + 1) {
            Some(at) => Some(self.newer[at]),
            None => self.older.get(place - self.newer.len()).copied(),
        }
    }

    /// The place of a request; where it would be if it is not in the list.
    pub(crate) fn place(&self, seq: Seq, index: &Index) -> usize {
        if self.is_plain() {
            return index.place(seq).unwrap_or(0);
        }
        if self.sort != Sort::Newest {
            let key = Key::of(seq, self.sort, index);
            return self.sorted.partition_point(|other| *other < key);
        }
        if seq < 0 {
            self.newer.len() + self.older.partition_point(|other| *other > seq)
        } else {
            self.newer.len() - self.newer.partition_point(|other| *other <= seq)
        }
    }
}

/// Adds what mostly belongs to the end.
fn extend_sorted(all: &mut Vec<Seq>, more: &[Seq], key: impl Fn(Seq) -> i64) {
    let is_at_end = all.last().zip(more.first()).is_none_or(|(last, first)| key(*last) < key(*first));
    let is_in_order = more.windows(2).all(|pair| key(pair[0]) < key(pair[1]));
    all.extend_from_slice(more);
    if !(is_at_end && is_in_order) {
        all.sort_unstable_by_key(|seq| key(*seq));
    }
}

/// Puts sorted keys among others. What comes before all of them stays where it is; the rest moves from its end, one by
/// one where a few lie between two that are new, and all at once where many do.
fn merge(all: &mut Vec<Key>, more: &[Key]) {
    let mut end = all.len();
    all.extend_from_slice(more);
    for (left, key) in more.iter().enumerate().rev() {
        let far = end.saturating_sub(NEAR);
        while end > far && all[end - 1] > *key {
            all[end + left] = all[end - 1];
            end -= 1;
        }
        if end == far {
            let start = after(&all[..end], *key);
            all.copy_within(start..end, start + left + 1);
            end = start;
        }
        all[end + left] = *key;
    }
}

/// Where a key belongs among sorted ones, looked for from their end in leaps.
fn after(all: &[Key], key: Key) -> usize {
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
        fn keys_are_merged_in_their_order(
            all in prop::collection::vec(0u64..500, 0..300), more in prop::collection::vec(0u64..500, 0..60),
        ) {
            // No two are equal, as their numbers differ.
            let keys = |keys: &[u64], bit| keys.iter().map(|key| Key(key << 1 | bit)).collect::<std::collections::BTreeSet<_>>();
            let (before, new) = (keys(&all, 0), keys(&more, 1));
            let mut merged: Vec<Key> = before.iter().copied().collect();
            merge(&mut merged, &new.iter().copied().collect::<Vec<_>>());
            let wanted: Vec<Key> = before.union(&new).copied().collect();
            prop_assert_eq!(merged, wanted);
        }

        #[test]
        fn a_list_that_grew_is_the_list_made_anew(
            steps in prop::collection::vec((any::<bool>(), 0usize..40), 0..12), filter in 0usize..3, sort in 0usize..3,
        ) {
            let filter = Filter::parse(["", "faster:500ns", "status:201 slower:300ns"][filter]).unwrap();
            let sort = [Sort::Newest, Sort::Slowest, Sort::Status][sort];
            let (mut index, mut grown) = (Index::default(), List::default());
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
            let mut anew = List::default();
            anew.set(filter, sort, &index);
            while anew.is_behind(&index) {
                anew.catch_up(&index, 13, None);
            }
            let len = anew.len(&index);
            prop_assert_eq!(grown.len(&index), len);
            for place in 0..len {
                let seq = anew.nth(place, &index);
                prop_assert_eq!(grown.nth(place, &index), seq);
                prop_assert_eq!(grown.place(seq.unwrap(), &index), place);
            }
            prop_assert_eq!(grown.nth(len, &index), None);
        }

        #[test]
        fn a_list_that_was_narrowed_is_the_list_made_anew(
            words in prop::collection::vec("[a-c/5]{0,2}|status:2|status:20|slower:[1-9]00ns|!a|flow:t|flow:to", 0..4),
            more in "[a-c/5]{0,2}|[1-9]", sort in 0usize..3,
        ) {
            let mut index = Index::default();
            index.push_older(&(0..300).rev().map(request).collect::<Vec<_>>());
            index.push_newer(&(300..400).map(request).collect::<Vec<_>>());
            let sort = [Sort::Newest, Sort::Slowest, Sort::Status][sort];
            let text = words.join(" ");
            let (Ok(wide), Ok(narrow)) = (Filter::parse(&text), Filter::parse(&format!("{text}{more}"))) else {
                return Ok(());
            };
            let all = |list: &mut List| {
                while list.is_behind(&index) {
                    list.catch_up(&index, 50, None);
                }
                (0..list.len(&index)).map(|place| list.nth(place, &index).unwrap()).collect::<Vec<_>>()
            };
            let (mut narrowed, mut anew) = (List::default(), List::default());
            narrowed.set(wide, sort, &index);
            narrowed.catch_up(&index, 120, None);
            narrowed.set(narrow.clone(), sort, &index);
            anew.set(narrow, sort, &index);
            prop_assert_eq!(all(&mut narrowed), all(&mut anew));
        }
    }
}
