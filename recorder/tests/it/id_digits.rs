//! The number of digits that identify an id in the whole store.

use proptest::prelude::*;
use zerver_recorder::{Reader, import};
use zerver_trace::{RequestId, TraceSelector};

use crate::sample_traces;

/// Creates a store with these ids. Each list is imported separately, so that blocks have overlapping ids.
fn store(imports: &[&[u128]]) -> (tempfile::TempDir, Reader) {
    let dir = tempfile::tempdir().unwrap();
    for (round, ids) in imports.iter().enumerate() {
        let traces = ids.iter().map(|bits| {
            let mut trace = sample_traces::trace(round as u64);
            trace.id = RequestId::from_u128(*bits);
            trace
        });
        import(dir.path(), traces.collect()).unwrap();
    }
    let reader = Reader::open(dir.path()).unwrap();
    (dir, reader)
}

fn digits(reader: &Reader, ids: &[u128]) -> usize {
    let ids: Vec<_> = ids.iter().copied().map(RequestId::from_u128).collect();
    reader.unique_digits(&ids).unwrap()
}

#[test]
fn all_ids_in_the_store_count() {
    let (a, b, c) = (0x019a_a4c2 << 96, (0x019a_a4c2 << 96) + 1, 0x019a_a4c3 << 96);
    let (_dir, reader) = store(&[&[a, c], &[b]]);
    assert_eq!(digits(&reader, &[a]), 32, "b is in another block, and not in the list");
    assert_eq!(digits(&reader, &[c]), 8);
    assert_eq!(digits(&reader, &[c, a]), 32);
    assert_eq!(digits(&reader, &[a, a]), 32);
    assert_eq!(digits(&reader, &[]), 0);
    // An id that is missing from the store is distinguished from those in it.
    assert_eq!(digits(&reader, &[c + 1]), 32);
    assert_eq!(digits(&reader, &[0xf << 124]), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// With this many digits, each id is found. With one fewer, at least one is not.
    #[test]
    fn the_number_of_digits_is_sufficient_and_minimal(
        imports in prop::collection::vec(prop::collection::btree_set(0u128..4096, 1..40), 1..5),
        shift in 0u32..=116,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        // Few distinct bits anywhere in the id, so that many prefixes are shared.
        let imports: Vec<Vec<u128>> =
            imports.iter().map(|ids| ids.iter().map(|id| id << shift).collect()).collect();
        let slices: Vec<&[u128]> = imports.iter().map(Vec::as_slice).collect();
        let (_dir, reader) = store(&slices);
        let all: Vec<u128> = imports.concat();
        let ids: Vec<u128> = picks.iter().map(|pick| *pick.get(&all)).collect();
        let digits = digits(&reader, &ids);
        let finds = |digits: usize| {
            ids.iter().all(|id| {
                let id = RequestId::from_u128(*id);
                let prefix: Result<TraceSelector, _> = id.short(digits).parse();
                prefix.is_ok_and(|prefix| reader.find(&prefix).is_ok_and(|found| found.id == id))
            })
        };
        prop_assert!(finds(digits));
        prop_assert!(digits == 1 || !finds(digits - 1));
    }
}
