//! A folder, a database and a bucket answer the same queries alike.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use zerver_fleet::{CompactOptions, compact};
use zerver_recorder::{FindError, Reader, verify};
use zerver_trace::{FlowInfo, Query, RequestId, SlotCondition, StatusFilter, Summary, TraceSelector};

use crate::harness::{PATIENCE, Shipping, files, new_bucket, new_fleet, reader, recorder};
use crate::sample_traces::{START_NS, capture, flow, id};

/// Number of requests. They lie a millisecond apart.
const REQUESTS: u64 = 400;

/// Number of requests that were recorded without an index of slots.
const UNINDEXED: u64 = 90;
/// Position of the slot with an index, in which each request has another value.
const TODO: usize = 2;

/// Returns a store, and the fleets to which it was shipped: in a database, in a bucket, and in a bucket that was compacted.
fn shipped() -> (&'static Reader, &'static [Reader; 3]) {
    static SHIPPED: OnceLock<(TempDir, Reader, [Reader; 3])> = OnceLock::new();
    let (_, folder, fleets) = SHIPPED.get_or_init(|| {
        let (dir, urls) = (tempfile::tempdir().unwrap(), [new_fleet(), new_bucket(), new_bucket()]);
        let service = recorder(dir.path());
        let mut indexed = FlowInfo::clone(&flow());
        indexed.slots[TODO].is_indexed = true;
        let indexed = Arc::new(indexed);
        for n in 0..REQUESTS {
            let mut request = capture(n);
            // The first blocks are of an earlier build, without an index.
            if n >= UNINDEXED {
                request.flow = Arc::clone(&indexed);
            }
            // Some are late, so that blocks overlap.
            if n % 7 == 0 {
                request.status = if n % 2 == 0 { 503 } else { 404 };
            }
            service.sink().accept(Box::new(request));
            if n % 45 == 44 {
                // A segment of its own.
                service.spool().close_block();
                for url in &urls {
                    Shipping::start(&service, url, "pod").shipper.stop(PATIENCE);
                }
            }
        }
        let shippers = urls.each_ref().map(|url| Shipping::start(&service, url, "pod"));
        service.close();
        for shipping in shippers {
            assert_eq!(shipping.shipper.stop(PATIENCE).waiting, 0);
        }
        let at_once = CompactOptions { settle: Duration::ZERO, grace: Duration::ZERO };
        assert!(compact(&urls[2], at_once).unwrap().packed > 5);
        assert!(compact(&urls[2], at_once).unwrap().replaced > 5);
        assert!(files(&urls[1], "live/").len() > 5 && files(&urls[2], "live/").is_empty());
        assert_eq!(files(&urls[2], "packs/").len(), 1);
        let (folder, fleets) = (Reader::open(dir.path()).unwrap(), urls.each_ref().map(reader));
        (dir, folder, fleets)
    });
    (folder, fleets)
}

/// Returns the condition that only one request meets.
fn todo(n: u64) -> SlotCondition {
    SlotCondition { slot: "Todo".to_owned(), path: Vec::new(), values: vec![format!("todo-{n}")] }
}

fn query() -> impl Strategy<Value = Query> {
    let time = || prop::option::of((0..REQUESTS + 20).prop_map(|ms| START_NS + ms * 1_000_000));
    let status = prop_oneof![
        Just(None),
        Just(Some(StatusFilter::Code(503))),
        Just(Some(StatusFilter::Class(4))),
        Just(Some(StatusFilter::Class(2))),
    ];
    let flow = prop_oneof![3 => Just(None), 2 => Just(Some("todos-item")), 1 => Just(Some("other"))];
    let slot = prop::option::weighted(0.3, (0..REQUESTS + 20).prop_map(|n| vec![todo(n)]));
    (flow, status, any::<bool>(), time(), time(), time(), prop::option::of(0..1_000_000_u64), slot).prop_map(
        |(flow, status, only_failed, since_unix_ns, until_unix_ns, at, slower_than_ns, slot)| Query {
            flow: flow.map(str::to_owned),
            status,
            only_failed: only_failed && slower_than_ns.is_none_or(|ns| ns % 2 == 0),
            since_unix_ns,
            until_unix_ns,
            in_progress_unix_ns: at.filter(|ns| ns % 3 == 0).map(|ns| (ns, ns + 500_000)),
            slower_than_ns,
            slots: slot.unwrap_or_default(),
            ..Query::default()
        },
    )
}

fn ids(list: &[Summary]) -> BTreeSet<RequestId> {
    list.iter().map(|summary| summary.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn all_stores_list_the_same_requests(query in query(), limit in 0..30_usize) {
        let (folder, fleets) = shipped();
        let mut wanted = folder.list(&query).unwrap();
        let all = ids(&wanted);
        wanted.sort_by_key(|summary| std::cmp::Reverse(summary.started_unix_ns));
        for fleet in fleets {
            let found = fleet.list(&query).unwrap();
            prop_assert_eq!(ids(&found), all.clone());
            prop_assert_eq!(&found, &wanted, "newest first");
            let first = fleet.list(&Query { limit: Some(limit), ..query.clone() }).unwrap();
            prop_assert_eq!(&first[..], &wanted[..limit.min(wanted.len())]);
            let mut visited = Vec::new();
            fleet.visit(&Query { limit: Some(limit), ..query.clone() }, |request| {
                visited.push(request.load().unwrap().id);
                std::ops::ControlFlow::Continue(())
            }).unwrap();
            prop_assert_eq!(visited, first.iter().map(|summary| summary.id).collect::<Vec<_>>());
        }
    }

    #[test]
    fn all_stores_find_the_same_requests(n in 0..REQUESTS + 5, digits in 1..33_usize) {
        let (folder, fleets) = shipped();
        let prefix: TraceSelector = id(n).short(digits).parse().unwrap();
        let pair = [id(n), id(n * 31 % REQUESTS)];
        let visit = |reader: &Reader| {
            let mut seen = BTreeSet::new();
            reader.visit_ids(&pair, |request| {
                seen.insert(request.load().unwrap().id);
                std::ops::ControlFlow::Continue(())
            }).unwrap();
            seen
        };
        for fleet in fleets {
            match (folder.find(&prefix), fleet.find(&prefix)) {
                (Ok(wanted), Ok(found)) => prop_assert_eq!(wanted, found),
                (Err(FindError::NotFound { nearest: wanted, .. }), Err(FindError::NotFound { nearest, .. })) => {
                    prop_assert_eq!(wanted.first(), nearest.first());
                }
                (Err(FindError::Ambiguous { .. }), Err(FindError::Ambiguous { .. })) => {}
                (wanted, found) => prop_assert!(false, "{:?} {:?}", wanted, found),
            }
            prop_assert_eq!(folder.unique_digits(&pair).unwrap(), fleet.unique_digits(&pair).unwrap());
            prop_assert_eq!(folder.load(id(n)).unwrap(), fleet.load(id(n)).unwrap());
            prop_assert_eq!(visit(folder), visit(fleet));
        }
    }
}

#[test]
fn a_value_of_a_slot_is_looked_for_in_few_blocks() {
    let (folder, fleets) = shipped();
    for (n, at_most) in [(5, 135), (200, 135), (REQUESTS + 1, 90)] {
        for reader in std::iter::once(folder).chain(fleets) {
            let found = reader.list(&Query { slots: vec![todo(n)], ..Query::default() }).unwrap();
            assert_eq!(found.iter().any(|summary| summary.id == id(n)), n < REQUESTS);
            assert!(found.len() <= at_most, "{n}: {}", found.len());
        }
    }
}

#[test]
fn all_stores_agree_on_the_extremes() {
    let (folder, fleets) = shipped();
    for fleet in fleets {
        for flow in [None, Some("todos-item".to_owned()), Some("other".to_owned())] {
            for selector in [
                TraceSelector::Last(flow.clone()),
                TraceSelector::Slowest(flow.clone()),
                TraceSelector::Fastest(flow.clone()),
                TraceSelector::Failed(flow.clone()),
            ] {
                let (wanted, found) = (folder.find(&selector), fleet.find(&selector));
                assert_eq!(wanted.is_ok(), found.is_ok(), "{selector}");
                if let (Ok(wanted), Ok(found)) = (wanted, found) {
                    assert_eq!(wanted.duration_ns, found.duration_ns, "{selector}");
                }
            }
        }
        assert_eq!(folder.counts().unwrap(), fleet.counts().unwrap());
        assert_eq!(folder.dropped_since_oldest().unwrap(), fleet.dropped_since_oldest().unwrap());
        let whole = verify(fleet, &mut |_| {}).unwrap();
        assert_eq!((whole.traces, whole.damaged), (REQUESTS, Vec::new()));
    }
}
