//! Nodes that record more than they may ship.

use std::collections::BTreeSet;
use std::time::Duration;

use zerver_fleet::{CompactOptions, FleetUrl, Shipper, ShipperOptions, compact, gaps, nodes};
use zerver_recorder::{Reader, Recorder, verify};
use zerver_trace::{Query, RequestId};

use crate::harness::{
    PATIENCE, Shipping, files, new_bucket, new_fleet, reader, recorder, unused_bucket, unused_url,
};
use crate::sample_traces::{capture, id};

/// Requests of a block, and blocks of a burst. They lie a millisecond apart.
const BLOCK: u64 = 50;
const BLOCKS: u64 = 40;
/// Requests that are shipped of each second.
const LIMIT: u32 = 10;
/// Requests that are shipped of the burst: a share of ten seconds, in whole blocks.
const SHIPPED: u64 = 3 * BLOCK;

#[test]
fn segments_with_blocks_left_out_between_them_are_packed_and_read() {
    let url = new_bucket();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    let shipped_at = |milliseconds: u64| {
        (0..BLOCK).for_each(|n| service.sink().accept(Box::new(capture(milliseconds + n))));
        service.spool().close_block();
    };
    // A share of ten seconds, what exceeds it, and what comes a minute later, in the same hour.
    [0, 50, 100, 150, 200, 60_000].into_iter().for_each(shipped_at);
    let shipping = Shipping::start_limited(&service, &url, "pod", LIMIT);
    service.close();
    assert_eq!(shipping.shipper.stop(PATIENCE).unshipped, 2 * BLOCK);
    let before = ids(&reader(&url));
    assert_eq!((before.len() as u64, files(&url, "live/").len()), (4 * BLOCK, 2));
    // For a while, the segments are there beside the pack.
    for grace in [PATIENCE, Duration::ZERO, Duration::ZERO] {
        compact(&url, CompactOptions { settle: Duration::ZERO, grace }).unwrap();
        assert_eq!(files(&url, "packs/").len(), 1);
        assert_eq!(ids(&reader(&url)), before);
        assert!(verify(&reader(&url), &mut |_| {}).unwrap().damaged.is_empty());
    }
    assert!(files(&url, "live/").is_empty() && gaps(&url).unwrap().is_empty());
}

fn record_burst(service: &Recorder) {
    for block in 0..BLOCKS {
        (0..BLOCK).for_each(|n| service.sink().accept(Box::new(capture(block * BLOCK + n))));
        service.spool().close_block();
    }
}

fn ids(reader: &Reader) -> BTreeSet<RequestId> {
    let list = reader.list(&Query::default()).unwrap();
    let ids: BTreeSet<_> = list.iter().map(|summary| summary.id).collect();
    assert_eq!(ids.len(), list.len(), "each once");
    ids
}

#[test]
fn what_exceeds_the_rate_stays_in_the_store_and_is_counted() {
    for url in [new_fleet(), new_bucket()] {
        let dir = tempfile::tempdir().unwrap();
        let service = recorder(dir.path());
        record_burst(&service);
        // An hour later.
        let late = BLOCKS * BLOCK + 3_600_000;
        service.sink().accept(Box::new(capture(late)));
        let shipping = Shipping::start_limited(&service, &url, "pod", LIMIT);
        service.close();
        let status = shipping.shipper.stop(PATIENCE);
        let unshipped = BLOCKS * BLOCK - SHIPPED;
        assert_eq!((status.shipped, status.unshipped, status.waiting), (SHIPPED + 1, unshipped, 0), "{url}");
        let report = &nodes(&url).unwrap()[0];
        assert_eq!((report.shipped, report.unshipped), (SHIPPED + 1, unshipped), "{report:?}");
        assert_eq!((report.recorded, report.missing()), (BLOCKS * BLOCK + 1, 0), "{report:?}");
        assert_eq!(ids(&reader(&url)), (0..SHIPPED).chain([late]).map(id).collect());
        assert_eq!(ids(&Reader::open(dir.path()).unwrap()).len() as u64, BLOCKS * BLOCK + 1);
        assert!(gaps(&url).unwrap().is_empty());
    }
}

#[test]
fn a_service_that_starts_again_counts_what_it_leaves_out_once() {
    for url in [new_fleet(), new_bucket()] {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..4 {
            let service = recorder(dir.path());
            record_burst_again(&service);
            let shipping = Shipping::start_limited(&service, &url, "pod", LIMIT);
            service.close();
            shipping.shipper.stop(PATIENCE);
        }
        let report = &nodes(&url).unwrap()[0];
        let found = reader(&url).list(&Query::default()).unwrap().len() as u64;
        assert_eq!((report.recorded, report.shipped), (4 * BLOCKS * BLOCK, found), "{report:?}");
        assert!(report.unshipped > 0 && report.missing() == 0 && report.waiting == 0, "{report:?}");
        assert_eq!(report.shipped + report.unshipped, report.recorded, "{report:?}");
        assert!(gaps(&url).unwrap().is_empty());
    }
}

/// Records a burst after those that the store has.
fn record_burst_again(service: &Recorder) {
    let from = Reader::open(service.spool().dir()).unwrap().counts().unwrap().recorded;
    for block in 0..BLOCKS {
        (0..BLOCK).for_each(|n| service.sink().accept(Box::new(capture(from + block * BLOCK + n))));
        service.spool().close_block();
    }
}

#[test]
fn a_fleet_that_is_out_of_reach_or_not_there_fails_the_check() {
    let check = |url: FleetUrl| {
        let dir = tempfile::tempdir().unwrap();
        let service = recorder(dir.path());
        let (every, name) = (PATIENCE, "pod".to_owned());
        Shipper::check(&service.spool(), &ShipperOptions { url, every, name, max_per_second: LIMIT })
    };
    for url in [new_fleet(), new_bucket()] {
        check(url).unwrap();
    }
    for url in [unused_url(), unused_bucket()] {
        assert!(check(url).unwrap_err().hint.unwrap().contains("zerver fleet init"));
    }
    let nowhere = "postgres://u@127.0.0.1:1/d?connect_timeout=1".parse().unwrap();
    assert!(check(nowhere).unwrap_err().is_passing);
}
