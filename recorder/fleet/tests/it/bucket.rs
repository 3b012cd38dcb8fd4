//! The objects of a bucket after services have shipped to it, also after they were interrupted.

use zerver_fleet::{InitOptions, ShipperEvent, gaps, init, status, upgrade};
use zerver_recorder::Recorder;
use zerver_trace::{Query, RequestId};

use crate::harness::{
    PATIENCE, Shipping, files, folder, new_bucket, new_in, reader, recorder, unused_bucket,
};
use crate::sample_traces::{capture, id};

/// Records requests as one segment each time.
pub(crate) fn ship_segments(service: &Recorder, url: &zerver_fleet::FleetUrl, segments: u64, size: u64) {
    for segment in 0..segments {
        (0..size).for_each(|n| service.sink().accept(Box::new(capture(segment * size + n))));
        service.spool().close_block();
        Shipping::start(service, url, "pod").shipper.stop(PATIENCE);
    }
}

pub(crate) fn ids(url: &zerver_fleet::FleetUrl) -> Vec<RequestId> {
    reader(url).list(&Query::default()).unwrap().into_iter().map(|summary| summary.id).collect()
}

pub(crate) fn newest_first(requests: u64) -> Vec<RequestId> {
    (0..requests).rev().map(id).collect()
}

#[test]
fn a_namespace_keeps_its_settings() {
    let url = unused_bucket();
    assert!(upgrade(&url).unwrap_err().hint.unwrap().contains("zerver fleet init"));
    let first = init(&url, InitOptions::default()).unwrap();
    assert!(first.is_new && first.keep_days == 30, "{first:?}");
    let again = init(&url, InitOptions { keep_days: Some(7) }).unwrap();
    assert!(!again.is_new && again.keep_days == 7, "{again:?}");
    assert_eq!(init(&url, InitOptions::default()).unwrap().keep_days, 7);
    assert_eq!((upgrade(&url).unwrap(), status(&url).unwrap().keep_days), (1, 7));
}

#[test]
fn a_service_that_was_killed_before_it_noted_what_arrived_ships_nothing_twice() {
    let url = new_bucket();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    ship_segments(&service, &url, 5, 30);
    let (before, segments) = (ids(&url), files(&url, "live/"));
    assert_eq!((before.len(), segments.len()), (150, 5));
    // The state before any report was written, and that after the first one.
    let report = files(&url, "nodes/").into_values().next().unwrap();
    let last = std::fs::read_to_string(&report).unwrap();
    let text = |name: &str, value: u64| format!("\"{name}\":{value}");
    let first = last.replace(&text("next_seq", 5), &text("next_seq", 1));
    let first = first.replace(&text("shipped", 150), &text("shipped", 30));
    assert_ne!(first, last, "{last}");
    for earlier in [None, Some(first)] {
        match earlier {
            None => std::fs::remove_file(&report).unwrap(),
            Some(text) => std::fs::write(&report, text).unwrap(),
        }
        Shipping::start(&service, &url, "pod").shipper.stop(PATIENCE);
        assert_eq!(ids(&url), before);
        assert_eq!(files(&url, "live/"), segments, "no other object was written");
        let node = &status(&url).unwrap().nodes[0];
        assert_eq!((node.recorded, node.shipped, node.waiting, node.missing()), (150, 150, 0, 0), "{node:?}");
    }
    assert_eq!(gaps(&url).unwrap(), Vec::<String>::new());
}

#[test]
fn blocks_that_two_objects_hold_are_shown_once() {
    let url = new_bucket();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    ship_segments(&service, &url, 4, 10);
    let small: Vec<_> =
        files(&url, "live/").into_values().map(|path| (std::fs::read(&path).unwrap(), path)).collect();
    assert_eq!(small.len(), 4);
    // As if the requests of a process that was killed arrived after those of the next one.
    std::fs::remove_dir_all(folder(&url).join("live")).unwrap();
    std::fs::remove_dir_all(folder(&url).join("nodes")).unwrap();
    Shipping::start(&service, &url, "pod").shipper.stop(PATIENCE);
    assert_eq!(files(&url, "live/").len(), 1, "one object has all blocks");
    let open = reader(&url);
    assert_eq!(open.list(&Query::default()).unwrap().len(), 40);
    for at in [1, 3, 0] {
        let (content, path) = &small[at];
        std::fs::write(path, content).unwrap();
        assert_eq!(ids(&url), newest_first(40));
    }
    // Without the one, what the others have is there.
    let whole = files(&url, "live/")
        .into_iter()
        .find(|(key, _)| key.split('-').nth(3) == Some("3") && key.split('-').nth(2) == Some("0"));
    std::fs::remove_file(whole.unwrap().1).unwrap();
    assert_eq!(ids(&url).len(), 30);
}

#[test]
fn blocks_of_a_copied_store_are_refused() {
    let url = new_bucket();
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    recorder(dirs[0].path()).close();
    for name in ["traces.redb", "key"] {
        std::fs::copy(dirs[0].path().join(name), dirs[1].path().join(name)).unwrap();
    }
    let first = recorder(dirs[0].path());
    ship_segments(&first, &url, 1, 1);
    std::fs::remove_file(files(&url, "nodes/").into_values().next().unwrap()).unwrap();
    let second = recorder(dirs[1].path());
    let mut other = capture(1);
    other.started_unix_ns = capture(0).started_unix_ns;
    second.sink().accept(Box::new(other));
    let copy = Shipping::start(&second, &url, "pod-2");
    let event = copy.events.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(&event, ShipperEvent::Offline { reason, .. } if reason.contains("another service")),
        "{event:?}"
    );
}

#[test]
fn a_list_has_any_number_of_pages_and_foreign_objects_are_named() {
    let url = new_in("pages");
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    ship_segments(&service, &url, 3, 20);
    let live = files(&url, "live/").into_values().next().unwrap();
    let hour = live.parent().unwrap();
    // Their names lie before, between and after those of the segments.
    for n in 0..2_300 {
        std::fs::write(hour.join(format!("{:04}-foreign-{n}", n * 4)), "not a segment").unwrap();
    }
    std::fs::create_dir_all(folder(&url).join("packs/2026/a")).unwrap();
    std::fs::write(folder(&url).join("packs/2026/a/notes.txt"), "not a pack").unwrap();
    assert_eq!(ids(&url), newest_first(60));
    let found = status(&url).unwrap();
    assert_eq!((found.traces, found.blocks, found.foreign.len()), (60, 3, 2_301));
    assert!(found.foreign.iter().any(|key| key.ends_with("packs/2026/a/notes.txt")));
    // The service looks for its own segment among them.
    std::fs::remove_file(files(&url, "nodes/").into_values().next().unwrap()).unwrap();
    ship_segments(&service, &url, 0, 0);
    Shipping::start(&service, &url, "pod").shipper.stop(PATIENCE);
    assert_eq!(status(&url).unwrap().traces, 60);
}
