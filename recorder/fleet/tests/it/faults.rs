//! A database that is not there, not ready, or was changed by hand.

use zerver_fleet::{FleetBlocks, FleetUrl, InitOptions, ShipperEvent, init, status, upgrade};
use zerver_local_server::Postgres;
use zerver_recorder::{ReadError, Reader, SealError};
use zerver_trace::{Event, Query};

use crate::harness::{PATIENCE, Shipping, execute, new_fleet, reader, recorder, unused_url};
use crate::sample_traces::{capture, datum, id};

/// Returns the text and the hint of an error.
fn hint(error: ReadError) -> (String, String) {
    match error {
        ReadError::Fleet { reason, hint, .. } => (reason, hint.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_namespace_that_is_missing_or_has_another_version_is_named_with_what_to_do() {
    let url = unused_url();
    let (reason, advice) = hint(FleetBlocks::open(&url).unwrap_err());
    assert!(reason.contains(url.namespace()) && advice.contains("zerver fleet init"), "{reason} {advice}");
    assert!(status(&url).unwrap_err().hint.unwrap().contains("zerver fleet init"));
    assert!(upgrade(&url).unwrap_err().hint.unwrap().contains("zerver fleet init"));
    let first = init(&url, InitOptions::default()).unwrap();
    assert!(first.is_new && first.has_roles && first.keep_days == 30, "{first:?}");
    let again = init(&url, InitOptions { keep_days: Some(7) }).unwrap();
    assert!(!again.is_new && again.keep_days == 7, "{again:?}");
    assert_eq!(upgrade(&url).unwrap(), 5);
    assert_eq!(status(&url).unwrap().keep_days, 7, "an upgrade keeps the settings");
    execute(&format!("update {}.fleet set version = 99", url.namespace()));
    let (reason, advice) = hint(FleetBlocks::open(&url).unwrap_err());
    assert!(reason.contains("version 99") && advice.contains("newer"), "{reason} {advice}");
    assert!(init(&url, InitOptions::default()).unwrap_err().reason.contains("99"));
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    service.sink().accept(Box::new(capture(1)));
    let shipping = Shipping::start(&service, &url, "pod");
    let event = shipping.events.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(&event, ShipperEvent::Offline { reason, .. } if reason.contains("99")), "{event:?}");
}

#[test]
fn a_database_that_is_down_is_reported_once_and_nothing_is_lost() {
    let mut server = Postgres::start().unwrap();
    let url: FleetUrl = format!("{}&ns=outage", server.url()).parse().unwrap();
    init(&url, InitOptions { keep_days: Some(100_000) }).unwrap();
    server.stop();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    (0..50).for_each(|n| service.sink().accept(Box::new(capture(n))));
    let shipping = Shipping::start(&service, &url, "pod");
    assert!(matches!(shipping.events.recv_timeout(PATIENCE).unwrap(), ShipperEvent::Offline { .. }));
    let until = std::time::Instant::now() + PATIENCE;
    while shipping.shipper.status().failures < 3 {
        assert!(std::time::Instant::now() < until);
        std::thread::yield_now();
    }
    assert!(shipping.events.try_recv().is_err(), "it is reported once");
    server.resume().unwrap();
    assert_eq!(shipping.events.recv_timeout(PATIENCE).unwrap(), ShipperEvent::Online);
    shipping.wait_until_shipped(50);
    assert_eq!(reader(&url).list(&Query::default()).unwrap().len(), 50);
    // Down again when the service ends: what is left stays in the store.
    server.stop();
    service.sink().accept(Box::new(capture(77)));
    service.close();
    shipping.shipper.stop(std::time::Duration::from_millis(300));
    let left = shipping.events.iter().any(|event| matches!(event, ShipperEvent::Left { .. }));
    assert!(left);
    assert!(Reader::open(dir.path()).unwrap().load(id(77)).unwrap().is_some());
}

#[test]
fn a_block_that_somebody_changed_is_named_and_never_shown() {
    let url = new_fleet();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    (0..20).for_each(|n| service.sink().accept(Box::new(capture(n))));
    let shipping = Shipping::start(&service, &url, "pod");
    shipping.wait_until_shipped(20);
    for column in ["body", "summaries", "head"] {
        let change = |to: &str| {
            execute(&format!(
                "update {}.block set {column} = set_byte({column}, 40, get_byte({column}, 40) {to})",
                url.namespace()
            ));
        };
        change("# 1");
        let fleet = reader(&url);
        let error = match column {
            "body" => fleet.load(id(3)).unwrap_err(),
            _ => fleet.list(&Query::default()).unwrap_err(),
        };
        assert!(
            matches!(&error, ReadError::Altered { block, .. } if block.contains("node")),
            "{column}: {error:?}"
        );
        change("# 1");
        assert_eq!(reader(&url).list(&Query::default()).unwrap().len(), 20, "{column}");
    }
    // A row under the key of another block.
    execute(&format!("update {}.block set seq = seq + 1000", url.namespace()));
    assert!(matches!(reader(&url).list(&Query::default()).unwrap_err(), ReadError::Altered { .. }));
}

#[test]
fn blocks_of_a_copied_store_are_refused() {
    let url = new_fleet();
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    recorder(dirs[0].path()).close();
    for name in ["traces.redb", "key"] {
        std::fs::copy(dirs[0].path().join(name), dirs[1].path().join(name)).unwrap();
    }
    let first = recorder(dirs[0].path());
    first.sink().accept(Box::new(capture(1)));
    let shipping = Shipping::start(&first, &url, "pod-1");
    shipping.wait_until_shipped(1);
    execute(&format!("update {}.node set next_seq = 0", url.namespace()));
    let second = recorder(dirs[1].path());
    second.sink().accept(Box::new(capture(2)));
    let copy = Shipping::start(&second, &url, "pod-2");
    let event = copy.events.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(&event, ShipperEvent::Offline { reason, .. } if reason.contains("another service")),
        "{event:?}"
    );
}

#[test]
fn roles_allow_no_more_than_they_must() {
    let url = new_fleet();
    let ns = url.namespace();
    execute(&format!(
        "create role ship_{ns} login in role zerver_ship; create role read_{ns} login in role zerver_read"
    ));
    let as_user = |user: &str| -> FleetUrl {
        url.to_string().replace("user=postgres", &format!("user={user}_{ns}")).parse().unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    service.sink().accept(Box::new(capture(1)));
    let shipping = Shipping::start(&service, &as_user("ship"), "pod");
    shipping.wait_until_shipped(1);
    assert_eq!(reader(&as_user("read")).list(&Query::default()).unwrap().len(), 1);
    let (reason, advice) = hint(FleetBlocks::open(&as_user("ship")).unwrap_err());
    assert!(reason.contains("permission denied") && advice.contains("zerver_read"), "{reason} {advice}");
    let second = tempfile::tempdir().unwrap();
    let service = recorder(second.path());
    let shipping = Shipping::start(&service, &as_user("read"), "pod");
    let event = shipping.events.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(&event, ShipperEvent::Offline { reason, .. } if reason.contains("denied")), "{event:?}");
}

#[test]
fn secrets_stay_sealed_and_their_key_stays_at_home() {
    let url = new_fleet();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    let mut request = capture(1);
    // The first slot is secret.
    request.events.push(Event::SlotWritten { step: 0, slot: 0, at_ns: 21, value: datum("needle-hunter2") });
    service.sink().accept(Box::new(request));
    let shipping = Shipping::start(&service, &url, "pod");
    shipping.wait_until_shipped(1);
    let fleet = reader(&url);
    let trace = fleet.load(id(1)).unwrap().unwrap();
    assert!(!format!("{trace:?}").contains("needle"));
    let Some(Event::SlotWritten { value: sealed, .. }) = trace.events.last() else { panic!("{trace:?}") };
    assert!(matches!(fleet.unseal(&trace, sealed), Err(SealError::Elsewhere { .. })));
    assert!(matches!(fleet.open_secrets(&trace), Err(SealError::Elsewhere { .. })));
    let home = Reader::open(dir.path()).unwrap();
    assert!(format!("{:?}", home.unseal(&trace, sealed).unwrap()).contains("needle"));
}
