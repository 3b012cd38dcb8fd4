//! Two sets of requests without common members, and samples of them.

use std::collections::BTreeSet;

use zerver_trace::{RequestId, Summary};

/// Two sets of requests. No request is in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeparatedSets {
    /// First set, oldest request first.
    pub a: Vec<Summary>,
    /// Second set, oldest request first.
    pub b: Vec<Summary>,
    /// Number of requests that both queries selected. They count in the smaller set only, so that a part can be compared
    /// with the rest of a whole.
    pub shared: usize,
}

impl SeparatedSets {
    /// Separates two sets.
    pub fn new(mut a: Vec<Summary>, mut b: Vec<Summary>) -> Self {
        let ids = |set: &[Summary]| set.iter().map(|request| request.id).collect::<BTreeSet<RequestId>>();
        let (small, large) = if a.len() <= b.len() { (ids(&a), &mut b) } else { (ids(&b), &mut a) };
        let before = large.len();
        large.retain(|request| !small.contains(&request.id));
        let shared = before - large.len();
        for set in [&mut a, &mut b] {
            set.sort_unstable_by_key(|request| (request.started_unix_ns, request.id));
        }
        Self { a, b, shared }
    }

    /// Returns the flows of both sets, in the order of their slugs.
    pub fn flows(&self) -> Vec<&str> {
        let flows: BTreeSet<&str> =
            self.a.iter().chain(&self.b).map(|request| request.flow.as_str()).collect();
        flows.into_iter().collect()
    }
}

/// Chooses at most `limit` requests, evenly over the whole list.
pub fn sample_evenly(requests: &[Summary], limit: usize) -> Vec<RequestId> {
    let count = requests.len().min(limit);
    let at = |n: usize| n * requests.len() / count.max(1);
    (0..count).filter_map(|n| Some(requests.get(at(n))?.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample;

    fn requests(ids: impl IntoIterator<Item = u128>) -> Vec<Summary> {
        let request = |id| Summary { id: RequestId::from_u128(id), ..sample::slow().summary() };
        ids.into_iter().map(request).collect()
    }

    #[test]
    fn a_part_is_compared_with_the_rest_of_a_whole() {
        let sets = SeparatedSets::new(requests(0..10), requests(8..10));
        assert_eq!((sets.a.len(), sets.b.len(), sets.shared), (8, 2, 2));
        let sets = SeparatedSets::new(requests(0..3), requests(2..10));
        assert_eq!((sets.a.len(), sets.b.len(), sets.shared), (3, 7, 1));
        let same = SeparatedSets::new(requests(0..3), requests(0..3));
        assert_eq!((same.a.len(), same.b.len(), same.shared), (3, 0, 3));
        assert_eq!(SeparatedSets::default().flows(), [] as [&str; 0]);
    }

    #[test]
    fn a_sample_spans_the_whole_list() {
        let ids =
            |limit| sample_evenly(&requests(0..10), limit).iter().map(|id| id.as_u128()).collect::<Vec<_>>();
        assert_eq!(ids(4), [0, 2, 5, 7]);
        assert_eq!(ids(100).len(), 10);
        assert_eq!(ids(0), [] as [u128; 0]);
    }
}
