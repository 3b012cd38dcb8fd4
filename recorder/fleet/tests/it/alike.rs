//! A folder and a database answer the same queries alike.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::prelude::*;
use tempfile::TempDir;
use zerver_fleet::FleetUrl;
use zerver_recorder::{FindError, Reader};
use zerver_trace::{Query, RequestId, StatusFilter, Summary, TraceSelector};

use crate::harness::{PATIENCE, Shipping, new_fleet, reader, recorder};
use crate::sample_traces::{START_NS, capture, id};

/// Number of requests. They lie a millisecond apart.
const REQUESTS: u64 = 400;

/// Returns a store, and the fleet to which it was shipped.
fn shipped() -> (Reader, Reader) {
    static SHIPPED: OnceLock<(TempDir, FleetUrl)> = OnceLock::new();
    let (dir, url) = SHIPPED.get_or_init(|| {
        let (dir, url) = (tempfile::tempdir().unwrap(), new_fleet());
        let service = recorder(dir.path());
        for n in 0..REQUESTS {
            let mut request = capture(n);
            // Some are late, so that blocks overlap.
            if n % 7 == 0 {
                request.status = if n % 2 == 0 { 503 } else { 404 };
            }
            service.sink().accept(Box::new(request));
            if n % 45 == 44 {
                service.flush();
            }
        }
        let shipping = Shipping::start(&service, &url, "pod");
        service.close();
        assert_eq!(shipping.shipper.stop(PATIENCE).shipped, REQUESTS);
        (dir, url)
    });
    (Reader::open(dir.path()).unwrap(), reader(url))
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
    (flow, status, any::<bool>(), time(), time(), time(), prop::option::of(0..1_000_000_u64)).prop_map(
        |(flow, status, only_failed, since_unix_ns, until_unix_ns, at, slower_than_ns)| Query {
            flow: flow.map(str::to_owned),
            status,
            only_failed: only_failed && slower_than_ns.is_none_or(|ns| ns % 2 == 0),
            since_unix_ns,
            until_unix_ns,
            in_progress_unix_ns: at.filter(|ns| ns % 3 == 0).map(|ns| (ns, ns + 500_000)),
            slower_than_ns,
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
    fn a_folder_and_a_database_list_the_same_requests(query in query(), limit in 0..30_usize) {
        let (folder, fleet) = shipped();
        let (mut wanted, found) = (folder.list(&query).unwrap(), fleet.list(&query).unwrap());
        prop_assert_eq!(ids(&found), ids(&wanted));
        wanted.sort_by_key(|summary| std::cmp::Reverse(summary.started_unix_ns));
        prop_assert_eq!(&found, &wanted, "newest first");
        let first = fleet.list(&Query { limit: Some(limit), ..query.clone() }).unwrap();
        prop_assert_eq!(&first[..], &wanted[..limit.min(wanted.len())]);
        let mut visited = Vec::new();
        fleet.visit(&Query { limit: Some(limit), ..query }, |request| {
            visited.push(request.load().unwrap().id);
            std::ops::ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(visited, first.iter().map(|summary| summary.id).collect::<Vec<_>>());
    }

    #[test]
    fn a_folder_and_a_database_find_the_same_requests(n in 0..REQUESTS + 5, digits in 1..33_usize) {
        let (folder, fleet) = shipped();
        let prefix: TraceSelector = id(n).short(digits).parse().unwrap();
        match (folder.find(&prefix), fleet.find(&prefix)) {
            (Ok(wanted), Ok(found)) => prop_assert_eq!(wanted, found),
            (Err(FindError::NotFound { nearest: wanted, .. }), Err(FindError::NotFound { nearest, .. })) => {
                prop_assert_eq!(wanted.first(), nearest.first());
            }
            (Err(FindError::Ambiguous { .. }), Err(FindError::Ambiguous { .. })) => {}
            (wanted, found) => prop_assert!(false, "{:?} {:?}", wanted, found),
        }
        let pair = [id(n), id(n * 31 % REQUESTS)];
        prop_assert_eq!(folder.unique_digits(&pair).unwrap(), fleet.unique_digits(&pair).unwrap());
        prop_assert_eq!(folder.load(id(n)).unwrap(), fleet.load(id(n)).unwrap());
        let visit = |reader: &Reader| {
            let mut seen = BTreeSet::new();
            reader.visit_ids(&pair, |request| {
                seen.insert(request.load().unwrap().id);
                std::ops::ControlFlow::Continue(())
            }).unwrap();
            seen
        };
        prop_assert_eq!(visit(&folder), visit(&fleet));
    }
}

#[test]
fn a_folder_and_a_database_agree_on_the_extremes() {
    let (folder, fleet) = shipped();
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
}
