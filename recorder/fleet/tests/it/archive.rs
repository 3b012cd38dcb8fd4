//! Days that move from a database to a bucket, and readers of both.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::prelude::*;
use tempfile::TempDir;
use zerver_fleet::{ArchiveOutcome, FleetUrl, archive, status, upgrade};
use zerver_recorder::{ReadError, Reader, Recorder, verify};
use zerver_trace::{Capture, Query, RequestId, SlotCondition, TraceSelector};

use crate::harness::{
    PATIENCE, Shipping, execute, files, new_bucket, new_fleet, reader, recorder, unused_bucket, with_key,
};
use crate::sample_traces::{START_NS, capture, id};

const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;
/// Number of requests of each day.
const PER_DAY: u64 = 30;

/// Returns a request some days after the first ones.
fn on_day(day: u64, n: u64) -> Capture {
    let mut request = capture(day * PER_DAY + n);
    request.id = id_on(day, n);
    request.started_unix_ns = START_NS + day * DAY_NS + n * 1_000_000;
    request
}

fn id_on(day: u64, n: u64) -> RequestId {
    RequestId::from_u128(id(day * PER_DAY + n).as_u128() + (u128::from(day * DAY_NS / 1_000_000) << 80))
}

fn ship(service: &Recorder, url: &FleetUrl) {
    service.spool().close_block();
    assert!(Shipping::start(service, url, "pod").shipper.stop(PATIENCE).is_online);
}

/// Records four days, and ships each of them as two blocks.
fn ship_days(service: &Recorder, url: &FleetUrl) {
    for day in 0..4 {
        for half in [0..PER_DAY / 2, PER_DAY / 2..PER_DAY] {
            half.for_each(|n| service.sink().accept(Box::new(on_day(day, n))));
            ship(service, url);
        }
    }
}

/// Moves every day of the samples before one of them.
fn move_until(url: &FleetUrl, to: &FleetUrl, day: u64) -> ArchiveOutcome {
    let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let age = today.as_secs() / 86_400 - (START_NS / DAY_NS + day);
    archive(url, to, u32::try_from(age).unwrap(), &mut |_| {}).unwrap()
}

/// Returns a store, and the fleet to which it was shipped: two days in the archive, two and a late block in the database.
fn shipped() -> &'static (TempDir, Reader, Reader) {
    static SHIPPED: OnceLock<(TempDir, Reader, Reader)> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let (dir, url, to) = (tempfile::tempdir().unwrap(), new_fleet(), new_bucket());
        let service = recorder(dir.path());
        ship_days(&service, &url);
        let moved = move_until(&url, &to, 2);
        assert_eq!((moved.days, moved.blocks, moved.packs), (2, 4, 2), "{moved:?}");
        // A node that was offline sends what it has of a day that was moved.
        (100..105).for_each(|n| service.sink().accept(Box::new(on_day(1, n))));
        ship(&service, &url);
        assert_eq!(move_until(&url, &to, 2), ArchiveOutcome::default(), "what is late stays in the database");
        service.close();
        let folder = Reader::open(dir.path()).unwrap();
        (dir, folder, reader(&url))
    })
}

fn ids(list: &[zerver_trace::Summary]) -> BTreeSet<RequestId> {
    list.iter().map(|summary| summary.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_folder_and_a_database_with_an_archive_answer_alike(
        since in prop::option::of(0..5 * 86_400_u64),
        until in prop::option::of(0..5 * 86_400_u64),
        is_failed in any::<bool>(),
        limit in 0..140_usize,
        day in 0..4_u64,
        n in 0..PER_DAY + 2,
        digits in 1..33_usize,
    ) {
        let (_, folder, fleet) = shipped();
        let time = |seconds: u64| START_NS - DAY_NS / 2 + seconds * 1_000_000_000;
        let query = Query {
            since_unix_ns: since.map(time),
            until_unix_ns: until.map(time),
            only_failed: is_failed && n % 2 == 0,
            ..Query::default()
        };
        let mut wanted = folder.list(&query).unwrap();
        wanted.sort_by_key(|summary| std::cmp::Reverse(summary.started_unix_ns));
        prop_assert_eq!(&fleet.list(&query).unwrap(), &wanted);
        let first = fleet.list(&Query { limit: Some(limit), ..query }).unwrap();
        prop_assert_eq!(&first[..], &wanted[..limit.min(wanted.len())]);
        let id = id_on(day, n);
        prop_assert_eq!(folder.load(id).unwrap(), fleet.load(id).unwrap());
        let prefix: TraceSelector = id.short(digits).parse().unwrap();
        let (wanted, found) = (folder.find(&prefix), fleet.find(&prefix));
        prop_assert_eq!(wanted.as_ref().ok(), found.as_ref().ok());
        let mut seen = BTreeSet::new();
        fleet.visit_ids(&[id, id_on(3 - day, 1)], |request| {
            seen.insert(request.load().unwrap().id);
            std::ops::ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(seen.len(), if n < PER_DAY { if id == id_on(3 - day, 1) { 1 } else { 2 } } else { 1 });
    }
}

#[test]
fn pages_extremes_and_counts_cover_both() {
    let (_, folder, fleet) = shipped();
    for selector in [TraceSelector::Slowest(None), TraceSelector::Fastest(None), TraceSelector::Last(None)] {
        let (wanted, found) = (folder.find(&selector).unwrap(), fleet.find(&selector).unwrap());
        let is_last = matches!(selector, TraceSelector::Last(_));
        // The last of a folder is that which ended last, and of a fleet that which began last.
        assert!(is_last || wanted.duration_ns == found.duration_ns, "{selector}");
    }
    assert_eq!(folder.counts().unwrap(), fleet.counts().unwrap());
    assert_eq!(folder.dropped_since_oldest().unwrap(), fleet.dropped_since_oldest().unwrap());
    let (mut pages, mut rest) = (Vec::new(), Some(fleet.end().unwrap()));
    while let Some(cursor) = rest {
        let (page, next) = fleet.list_before(cursor, 7).unwrap();
        pages.extend(page.into_iter().map(|summary| summary.id));
        rest = next;
    }
    let all = ids(&folder.list(&Query::default()).unwrap());
    assert_eq!((pages.len(), pages.iter().copied().collect::<BTreeSet<_>>()), (all.len(), all));
    let followed = fleet.list_since(Reader::start()).unwrap().0;
    assert_eq!(followed.len(), pages.len());
    let whole = verify(fleet, &mut |_| {}).unwrap();
    assert_eq!((whole.traces, whole.damaged), (pages.len() as u64, Vec::new()));
}

#[test]
fn an_archive_run_that_was_interrupted_is_repeated_without_harm() {
    let (url, to) = (new_fleet(), new_bucket());
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    ship_days(&service, &url);
    let all = reader(&url).list(&Query::default()).unwrap();
    assert_eq!(all.len(), 120);
    // As if it had been killed after it wrote the first day, and before it removed it.
    let kept = format!("create table {0}.kept as select * from {0}.block", url.namespace());
    execute(&kept);
    let first = move_until(&url, &to, 1);
    assert_eq!((first.days, first.blocks, first.packs), (1, 2, 1), "{first:?}");
    let packs = files(&to, "packs/");
    execute(&format!(
        "update {0}.fleet set archived_before = 0; insert into {0}.block select * from {0}.kept where day = (select \
         min(day) from {0}.kept)",
        url.namespace()
    ));
    assert_eq!(
        reader(&url).list(&Query::default()).unwrap(),
        all,
        "each once, although two places hold some"
    );
    let again = move_until(&url, &to, 2);
    assert_eq!((again.days, again.packs), (2, 2));
    let after = files(&to, "packs/");
    assert!(after.len() == 2 && packs.keys().all(|key| after.contains_key(key)), "{after:?}");
    assert_eq!(reader(&url).list(&Query::default()).unwrap(), all);
    // The archive by itself has the older half, with the names of the nodes.
    let alone = reader(&to).list(&Query::default()).unwrap();
    assert_eq!((alone.len(), &alone[..]), (60, &all[60..]));
    assert_eq!(status(&to).unwrap().nodes[0].name, "pod");
    assert_eq!(status(&url).unwrap().archive, Some(to.to_string()));
    assert!(reader(&to).flows().is_ok());
    // Another archive is refused.
    let error = archive(&url, &new_bucket(), 0, &mut |_| {}).unwrap_err();
    assert!(error.reason.contains(&to.to_string()), "{error:?}");
    let error = archive(&to, &url, 0, &mut |_| {}).unwrap_err();
    assert!(error.reason.contains("an archive is a bucket"), "{error:?}");
    let error = archive(&new_fleet(), &unused_bucket(), 0, &mut |_| {}).unwrap_err();
    assert!(error.hint.unwrap().contains("zerver fleet init"));
}

#[test]
fn a_damaged_block_keeps_its_day_in_the_database() {
    let (url, to) = (new_fleet(), new_bucket());
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    ship_days(&service, &url);
    let change = |to: &str| {
        execute(&format!(
            "update {0}.block set head = set_byte(head, 40, get_byte(head, 40) {to}) where day = (select max(day) - 2 \
             from {0}.block)",
            url.namespace()
        ));
    };
    change("# 1");
    let error = archive(&url, &to, 0, &mut |_| {}).unwrap_err();
    assert!(error.reason.contains("not what was recorded"), "{error:?}");
    change("# 1");
    assert_eq!(reader(&url).list(&Query::default()).unwrap().len(), 120, "only the first day was moved");
    assert_eq!(files(&to, "packs/").len(), 1);
}

#[test]
fn recent_requests_are_read_without_the_archive() {
    let (url, to) = (new_fleet(), new_bucket());
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    ship_days(&service, &url);
    move_until(&url, &to, 2);
    // A user without a key of the bucket.
    let text = format!("{url}");
    let stranger: FleetUrl = FleetUrl::parse_with(&text, &|_| None).unwrap();
    let fleet = reader(&stranger);
    let recent = Query { since_unix_ns: Some(START_NS + 2 * DAY_NS), ..Query::default() };
    assert_eq!(fleet.list(&recent).unwrap().len(), 60);
    assert_eq!(fleet.list(&Query { limit: Some(40), ..Query::default() }).unwrap().len(), 40);
    assert_eq!(fleet.load(id_on(3, 1)).unwrap().unwrap().id, id_on(3, 1));
    let error = fleet.list(&Query::default()).unwrap_err();
    assert!(
        matches!(&error, ReadError::Fleet { hint: Some(hint), .. } if hint.contains("archive=off")),
        "{error:?}"
    );
    let alone = reader(&with_key(&format!("{text}&archive=off")));
    assert_eq!(alone.list(&Query::default()).unwrap().len(), 60);
    // What was moved is no more removed by the database, and what is late is.
    execute(&format!("update {0}.fleet set keep_days = 1; select {0}.maintain()", url.namespace()));
    assert_eq!(reader(&url).list(&Query::default()).unwrap().len(), 120);
}

#[test]
fn a_namespace_of_the_first_version_is_upgraded_in_place() {
    let url = new_fleet();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    ship_days(&service, &url);
    execute(&format!(
        "alter table {0}.fleet drop column archive, drop column archived_before; alter table {0}.block drop column slots; alter table {0}.node drop column \
         unshipped; drop function {0}.drop_archived, {0}.current_key, {0}.share_key; drop view {0}.traces; drop table \
         {0}.public_key, {0}.sealing_key; update {0}.fleet set version = 1",
        url.namespace()
    ));
    let old = zerver_fleet::FleetBlocks::open(&url).unwrap_err();
    assert!(
        matches!(&old, ReadError::Fleet { hint: Some(hint), .. } if hint.contains("zerver fleet upgrade")),
        "{old:?}"
    );
    assert_eq!(upgrade(&url).unwrap(), 1);
    assert_eq!(reader(&url).list(&Query::default()).unwrap().len(), 120);
    // Blocks without keys of slots may hold any value.
    let slots =
        vec![SlotCondition { slot: "Todo".to_owned(), path: Vec::new(), values: vec!["1".to_owned()] }];
    assert_eq!(reader(&url).list(&Query { slots, ..Query::default() }).unwrap().len(), 120);
    assert_eq!(status(&url).unwrap().version, 5);
}
