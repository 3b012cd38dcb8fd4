//! A bucket that is not there or not ready, and objects that were changed by hand.

use std::time::{Duration, Instant};

use zerver_fleet::{
    CompactOptions, FleetBlocks, FleetUrl, InitOptions, ShipperEvent, compact, gaps, init, nodes, status,
};
use zerver_local_server::{Postgres, S3};
use zerver_recorder::{ReadError, Reader, verify};
use zerver_trace::Query;

use crate::bucket::{ids, newest_first, ship_segments};
use crate::harness::{
    PATIENCE, Shipping, bucket_url, files, folder, new_bucket, reader, recorder, unused_bucket,
};
use crate::sample_traces::{capture, id};

/// Returns the text and the advice of an error.
fn advice(error: ReadError) -> (String, String) {
    match error {
        ReadError::Fleet { reason, hint, .. } => (reason, hint.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

/// Returns what the shipper of a service with one request reports first.
fn first_event(url: &FleetUrl) -> ShipperEvent {
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    service.sink().accept(Box::new(capture(1)));
    let shipping = Shipping::start(&service, url, "pod");
    shipping.events.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn what_an_operator_has_to_do_is_said() {
    let server = S3::start(&["traces"]).unwrap();
    let namespace = |name: &str, text: &str| {
        let url = bucket_url(&server, "traces", name);
        init(&url, InitOptions::default()).unwrap();
        std::fs::write(server.bucket_folder("traces").join(format!("fleet/{name}/settings")), text).unwrap();
        url
    };
    let other_key = |text: String, key: Option<&'static str>| {
        FleetUrl::parse_with(&text, &|name| {
            key.filter(|_| {
                name.starts_with("AWS_") && name.ends_with("_KEY_ID") || name.ends_with("ACCESS_KEY")
            })
            .map(str::to_owned)
        })
        .unwrap()
    };
    let shown = bucket_url(&server, "traces", "new").to_string();
    for (url, reason, hint) in [
        (bucket_url(&server, "traces", "new"), "namespace new is not there", "zerver fleet init --store"),
        (bucket_url(&server, "absent", "new"), "no bucket absent", "create the bucket"),
        (other_key(shown.clone(), Some("wrong")), "403", "AWS_ACCESS_KEY_ID"),
        (other_key(shown, None), "403", "AWS_ACCESS_KEY_ID"),
        (namespace("later", "{\"version\":99,\"keep_days\":1}"), "version 99", "newer"),
        (namespace("damaged", "not json"), "not what zerver wrote", "remove it"),
    ] {
        let (found, advice) = advice(FleetBlocks::open(&url).map(|_| ()).unwrap_err());
        assert!(found.contains(reason) && advice.contains(hint), "{url}: {found}: {advice}");
        let found = status(&url).unwrap_err();
        assert!(found.reason.contains(reason), "{found:?}");
        let event = first_event(&url);
        assert!(
            matches!(&event, ShipperEvent::Offline { reason: found, .. } if found.contains(reason)),
            "{url}: {event:?}"
        );
    }
    // Nothing was written without a namespace.
    assert!(!server.bucket_folder("traces").join("fleet/new").exists());
}

#[test]
fn a_server_that_is_down_is_reported_once_and_nothing_is_lost() {
    let mut server = S3::start(&["traces"]).unwrap();
    let url = bucket_url(&server, "traces", "outage");
    init(&url, InitOptions { keep_days: Some(100_000) }).unwrap();
    server.stop();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    (0..50).for_each(|n| service.sink().accept(Box::new(capture(n))));
    let shipping = Shipping::start(&service, &url, "pod");
    assert!(matches!(shipping.events.recv_timeout(PATIENCE).unwrap(), ShipperEvent::Offline { .. }));
    let failures = |count: u64| {
        let until = Instant::now() + PATIENCE;
        while shipping.shipper.status().failures < count {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
    };
    failures(3);
    assert!(shipping.events.try_recv().is_err(), "it is reported once");
    assert!(!shipping.shipper.status().is_online);
    assert!(nodes(&url).is_err() && FleetBlocks::open(&url).is_err());
    server.resume().unwrap();
    assert_eq!(shipping.events.recv_timeout(PATIENCE).unwrap(), ShipperEvent::Online);
    shipping.wait_until_shipped(50);
    assert_eq!(ids(&url), newest_first(50));
    // Down in the middle of the run, and again when the service ends: what is left stays in the store.
    server.stop();
    (50..60).for_each(|n| service.sink().accept(Box::new(capture(n))));
    assert!(matches!(shipping.events.recv_timeout(PATIENCE).unwrap(), ShipperEvent::Offline { .. }));
    service.close();
    let status = shipping.shipper.stop(Duration::from_millis(300));
    assert!(!status.is_online);
    assert!(shipping.events.iter().any(|event| matches!(event, ShipperEvent::Left { .. })));
    assert!(Reader::open(dir.path()).unwrap().load(id(55)).unwrap().is_some());
    server.resume().unwrap();
    Shipping::start(&recorder(dir.path()), &url, "pod").shipper.stop(PATIENCE);
    assert_eq!(ids(&url), newest_first(60));
    assert_eq!(nodes(&url).unwrap()[0].missing(), 0);
}

/// Checks that a damaged object is named by everything that would have shown what it held, and hides nothing else.
fn check_damage(what: &str, key: &str, url: &FleetUrl, lost: &[u64], is_listed: bool) {
    let fleet = reader(url);
    let names_it = |error: &dyn std::fmt::Debug| {
        let text = format!("{error:?}");
        assert!(text.contains("Altered") && (is_listed || text.contains(key)), "{what}: {text}");
    };
    match fleet.list(&Query::default()) {
        Ok(all) => assert!(is_listed && all.len() == 60, "{what}: {}", all.len()),
        Err(error) => {
            assert!(!is_listed, "{what}: {error}");
            names_it(&error);
        }
    }
    for n in lost {
        match fleet.load(id(*n)) {
            Ok(found) => panic!("{what}: {found:?}"),
            Err(error) => names_it(&error),
        }
    }
    for n in (0..60).filter(|n| !lost.contains(n)) {
        assert!(fleet.load(id(n)).unwrap().is_some(), "{what}: {n}");
    }
    let found = verify(&fleet, &mut |_| {}).unwrap();
    assert_eq!((found.traces, found.damaged.len()), (60 - lost.len() as u64, 1), "{what}: {found:?}");
    names_it(&format!("Altered {}", found.damaged[0].reason));
}

#[test]
fn an_object_that_somebody_changed_is_named_and_never_shown() {
    let url = new_bucket();
    let dir = tempfile::tempdir().unwrap();
    ship_segments(&recorder(dir.path()), &url, 3, 20);
    let live: Vec<_> = files(&url, "live/").into_iter().collect();
    let (key, path) = &live[1];
    let (whole, other) = (std::fs::read(path).unwrap(), std::fs::read(&live[0].1).unwrap());
    let lost: Vec<u64> = (20..40).collect();
    let flipped = |at: usize| {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        changed
    };
    let tail: usize = key.rsplit('-').next().unwrap().parse().unwrap();
    for (what, content, is_listed) in [
        ("truncated", whole[..whole.len() - 10].to_vec(), false),
        ("only a start", whole[..10].to_vec(), false),
        ("empty", Vec::new(), false),
        ("longer", [&whole[..], b"more"].concat(), false),
        ("another", other.clone(), false),
        ("text", b"not a segment".to_vec(), false),
        ("a bit of the description", flipped(whole.len() - 60), false),
        ("a bit of the trailer", flipped(whole.len() - 1), false),
        ("a bit of the body", flipped(40), true),
    ] {
        std::fs::write(path, content).unwrap();
        check_damage(what, key, &url, &lost, is_listed);
        // Compaction leaves it alone.
        if !is_listed {
            let named =
                compact(&url, CompactOptions { settle: Duration::ZERO, grace: Duration::MAX }).unwrap();
            assert!(named.damaged.iter().any(|damaged| damaged.contains(key)), "{what}: {named:?}");
            for pack in files(&url, "packs/").into_values() {
                std::fs::remove_file(pack).unwrap();
            }
        }
    }
    // A bit of a record in the tail, which has a checksum of its own.
    std::fs::write(path, flipped(whole.len() - tail + 40)).unwrap();
    assert!(matches!(reader(&url).list(&Query::default()), Err(ReadError::Altered { .. })));
    std::fs::write(path, &whole).unwrap();
    assert_eq!(ids(&url), newest_first(60));
    // Under the name of another node.
    let node = key.split('-').nth(1).unwrap();
    let moved = folder(&url).join(key.replace(node, "00000000000000ff"));
    std::fs::rename(path, &moved).unwrap();
    let error = reader(&url).list(&Query::default()).unwrap_err();
    assert!(
        matches!(&error, ReadError::Altered { block, .. } if block.contains("00000000000000ff")),
        "{error:?}"
    );
    std::fs::rename(&moved, path).unwrap();
    assert_eq!(gaps(&url).unwrap(), Vec::<String>::new());
    // Deleted by hand: what is there is shown, and the hole is found.
    for (at, what) in [(1, "blocks 1 to 1 of pod"), (2, "blocks 2 to 2 of pod")] {
        let (path, content) = (&live[at].1, std::fs::read(&live[at].1).unwrap());
        std::fs::remove_file(path).unwrap();
        assert_eq!(ids(&url).len(), 40);
        let gaps = gaps(&url).unwrap();
        assert!(gaps.len() == 1 && gaps[0].contains(what), "{gaps:?}");
        std::fs::write(path, content).unwrap();
    }
    // The report of the node.
    let report = files(&url, "nodes/").into_values().next().unwrap();
    let text = std::fs::read(&report).unwrap();
    std::fs::write(&report, "{").unwrap();
    assert!(nodes(&url).unwrap_err().reason.contains("nodes/"));
    assert_eq!(ids(&url).len(), 60, "requests are there without it");
    std::fs::remove_file(&report).unwrap();
    assert!(gaps(&url).unwrap()[0].contains("reports of all nodes are missing"));
    std::fs::write(&report, text).unwrap();
}

#[test]
fn a_pack_that_somebody_changed_is_named_and_never_shown() {
    let url = new_bucket();
    let dir = tempfile::tempdir().unwrap();
    ship_segments(&recorder(dir.path()), &url, 3, 20);
    let at_once = CompactOptions { settle: Duration::ZERO, grace: Duration::ZERO };
    compact(&url, at_once).unwrap();
    let live = files(&url, "live/");
    compact(&url, at_once).unwrap();
    assert!(files(&url, "live/").is_empty());
    let (key, path) = files(&url, "packs/").pop_first().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    let at = whole.len() - 60;
    flipped[at] ^= 1;
    for (what, content) in [
        ("truncated", whole[..whole.len() - 10].to_vec()),
        ("empty", Vec::new()),
        ("text", b"not a pack".to_vec()),
        ("flipped", flipped),
    ] {
        std::fs::write(&path, content).unwrap();
        let error = reader(&url).list(&Query::default()).unwrap_err();
        assert!(
            matches!(&error, ReadError::Altered { block, .. } if block.contains(&key)),
            "{what}: {error:?}"
        );
        let found = verify(&reader(&url), &mut |_| {}).unwrap();
        assert_eq!((found.traces, found.damaged.len()), (0, 1), "{what}");
        assert!(found.damaged[0].reason.contains(&key), "{what}: {found:?}");
        // What lies beside it is read.
        let again = tempfile::tempdir().unwrap();
        let other = new_bucket();
        ship_segments(&recorder(again.path()), &other, 1, 20);
        for (name, segment) in files(&other, "live/") {
            std::fs::create_dir_all(folder(&url).join(&name).parent().unwrap()).unwrap();
            std::fs::copy(segment, folder(&url).join(name)).unwrap();
        }
        assert!(reader(&url).load(id(5)).unwrap().is_some(), "{what}");
        std::fs::remove_dir_all(folder(&url).join("live")).unwrap();
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(ids(&url), newest_first(60));
    assert_eq!(live.len(), 3);
}

#[test]
fn only_a_bucket_is_compacted() {
    let server = Postgres::start().unwrap();
    let url: FleetUrl = server.url().parse().unwrap();
    assert!(compact(&url, CompactOptions::default()).unwrap_err().reason.contains("only a bucket"));
    assert!(compact(&unused_bucket(), CompactOptions::default()).unwrap_err().reason.contains("not there"));
}
