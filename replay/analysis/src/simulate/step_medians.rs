//! The time that each step takes in most cases.

use std::collections::BTreeMap;

/// What each step takes in most cases: the median.
pub(super) fn usual(took: BTreeMap<(u16, u16), Vec<u64>>) -> BTreeMap<(u16, u16), u64> {
    let median = |(step, mut took): ((u16, u16), Vec<u64>)| {
        let middle = took.len() / 2;
        (step, *took.select_nth_unstable(middle).1)
    };
    took.into_iter().map(median).collect()
}
