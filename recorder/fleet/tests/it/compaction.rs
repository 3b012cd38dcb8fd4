//! Compaction while others read and write, and retention.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zerver_fleet::{CompactOptions, InitOptions, compact, gaps, init, status};
use zerver_recorder::Reader;
use zerver_trace::Query;

use crate::bucket::{ids, newest_first, ship_segments};
use crate::harness::{PATIENCE, Shipping, files, new_bucket, reader, recorder};
use crate::sample_traces::{capture, id};

const KEEP_ALL: CompactOptions = CompactOptions { settle: Duration::ZERO, grace: Duration::MAX };
const AT_ONCE: CompactOptions = CompactOptions { settle: Duration::ZERO, grace: Duration::ZERO };

#[test]
fn readers_see_every_request_once_before_during_and_after_a_compaction() {
    let url = new_bucket();
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let services = dirs.each_ref().map(|dir| recorder(dir.path()));
    for n in 0..60 {
        services[n as usize % 2].sink().accept(Box::new(capture(n)));
        if n % 10 == 9 {
            for (number, service) in services.iter().enumerate() {
                service.spool().close_block();
                Shipping::start(service, &url, ["pod-1", "pod-2"][number]).shipper.stop(PATIENCE);
            }
        }
    }
    let list = |reader: &Reader| reader.list(&Query::default()).unwrap();
    // One has read everything, the other has only seen the names.
    let (read, listed) = (reader(&url), reader(&url));
    let (before, cursor) = (list(&read), listed.end().unwrap());
    let pages = |reader: &Reader| {
        let (mut pages, mut rest) = (Vec::new(), Some(cursor));
        while let Some(cursor) = rest {
            let (page, next) = reader.list_before(cursor, 7).unwrap();
            pages.extend(page.into_iter().map(|summary| summary.id));
            rest = next;
        }
        pages
    };
    assert_eq!(files(&url, "live/").len(), 12);
    let first = compact(&url, KEEP_ALL).unwrap();
    assert_eq!((first.packed, first.packs, first.replaced, first.damaged.len()), (12, 1, 0, 0));
    // Both hold the same blocks.
    assert_eq!(files(&url, "live/").len(), 12);
    assert_eq!((ids(&url), status(&url).unwrap().traces), (newest_first(60), 60));
    assert_eq!(compact(&url, KEEP_ALL).unwrap().packs, 0, "what is packed is not packed again");
    assert_eq!(compact(&url, AT_ONCE).unwrap().replaced, 12);
    assert!(files(&url, "live/").is_empty());
    assert_eq!((ids(&url), status(&url).unwrap().traces), (newest_first(60), 60));
    assert_eq!((list(&read), list(&listed)), (before.clone(), before));
    for reader in [&read, &listed] {
        assert_eq!(reader.load(id(33)).unwrap().unwrap().id, id(33));
        assert!(reader.list_since(cursor).unwrap().0.is_empty(), "nothing is new");
        let mut pages = pages(reader);
        pages.sort_unstable();
        assert_eq!(pages, (0..60).map(id).collect::<Vec<_>>());
    }
    // Late segments of the same hour make another pack.
    for n in 60..64 {
        services[0].sink().accept(Box::new(capture(n)));
        services[0].spool().close_block();
        Shipping::start(&services[0], &url, "pod-1").shipper.stop(PATIENCE);
    }
    assert_eq!(compact(&url, AT_ONCE).unwrap().packs, 1);
    assert_eq!(compact(&url, AT_ONCE).unwrap().replaced, 4);
    assert_eq!((ids(&url), files(&url, "packs/").len()), (newest_first(64), 2));
    assert_eq!(gaps(&url).unwrap(), Vec::<String>::new());
}

#[test]
fn two_compactions_at_the_same_time_show_nothing_twice() {
    let url = new_bucket();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    ship_segments(&service, &url, 4, 10);
    let live = files(&url, "live/");
    let (key, path) = live.last_key_value().unwrap();
    // The first has not seen the last segment.
    let content = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    compact(&url, KEEP_ALL).unwrap();
    std::fs::write(path, content).unwrap();
    let pack = files(&url, "packs/").pop_first().unwrap();
    let first = std::fs::read(&pack.1).unwrap();
    std::fs::remove_file(&pack.1).unwrap();
    compact(&url, KEEP_ALL).unwrap();
    std::fs::write(&pack.1, first).unwrap();
    assert_eq!(files(&url, "packs/").len(), 2, "{key}");
    assert_eq!(ids(&url), newest_first(40));
    compact(&url, AT_ONCE).unwrap();
    assert!(files(&url, "live/").is_empty());
    assert_eq!(ids(&url), newest_first(40));
}

#[test]
fn old_requests_are_removed_and_the_present_hour_stays_as_it_is() {
    let url = new_bucket();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    ship_segments(&service, &url, 2, 10);
    compact(&url, AT_ONCE).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    for n in [100, 101] {
        let mut recent = capture(n);
        recent.started_unix_ns = now;
        service.sink().accept(Box::new(recent));
        service.spool().close_block();
        Shipping::start(&service, &url, "pod").shipper.stop(PATIENCE);
    }
    let open = reader(&url);
    assert_eq!(open.list(&Query::default()).unwrap().len(), 22);
    init(&url, InitOptions { keep_days: Some(7) }).unwrap();
    let done = compact(&url, AT_ONCE).unwrap();
    assert_eq!((done.expired, done.packs, done.replaced), (3, 0, 0), "{done:?}");
    assert_eq!(ids(&url).len(), 2);
    // A reader that had read them may show them; what it has not read is gone, and no error.
    assert_eq!(reader(&url).load(id(1)).unwrap(), None);
    assert!(open.load(id(100)).unwrap().is_some());
    let node = &status(&url).unwrap().nodes[0];
    assert_eq!((node.shipped, node.missing()), (22, 0));
    assert_eq!(gaps(&url).unwrap(), Vec::<String>::new());
}
