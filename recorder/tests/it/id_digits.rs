//! The digits that identify ids within the whole store.

use proptest::prelude::*;
use zerver_recorder::{Reader, import};
use zerver_trace::{RequestId, TraceSelector};

use crate::sample;

/// A store with these ids, each list imported on its own: blocks whose ids overlap.
fn store(imports: &[&[u128]]) -> (tempfile::TempDir, Reader) {
    let dir = tempfile::tempdir().unwrap();
    for (round, ids) in imports.iter().enumerate() {
        let traces = ids.iter().map(|bits| {
            let mut trace = sample::trace(round as u64);
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
fn ids_that_are_not_printed_count_too() {
    let (a, b, c) = (0x019a_a4c2 << 96, (0x019a_a4c2 << 96) + 1, 0x019a_a4c3 << 96);
    let (_dir, reader) = store(&[&[a, c], &[b]]);
    assert_eq!(digits(&reader, &[a]), 32, "b is in another block and not among those asked for");
    assert_eq!(digits(&reader, &[c]), 8);
    assert_eq!(digits(&reader, &[c, a]), 32);
    assert_eq!(digits(&reader, &[a, a]), 32);
    assert_eq!(digits(&reader, &[]), 0);
    // An id that is not there is told from those that are.
    assert_eq!(digits(&reader, &[c + 1]), 32);
    assert_eq!(digits(&reader, &[0xf << 124]), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// With the digits that are given, each id is found; with one fewer, at least one is not.
    #[test]
    fn as_many_digits_as_it_takes_and_no_more(
        imports in prop::collection::vec(prop::collection::btree_set(0u128..4096, 1..40), 1..5),
        shift in 0u32..=116,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        // Few distinct bits, at any place within the id, so that prefixes are shared.
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
