//! Usual times of steps.

use std::collections::BTreeMap;

/// Returns the median time of each step.
pub(super) fn medians(took: BTreeMap<(u16, u16), Vec<u64>>) -> BTreeMap<(u16, u16), u64> {
    let median = |(step, mut took): ((u16, u16), Vec<u64>)| {
        let middle = took.len() / 2;
        (step, *took.select_nth_unstable(middle).1)
    };
    took.into_iter().map(median).collect()
}
