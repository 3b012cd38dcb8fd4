//! Visits block by block give what loading each trace gives, in stores of many blocks, whole and damaged.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use zerver_recorder::{Reader, Recorder, examine};
use zerver_trace::{
    EventSubject, PlacedValue, Query, Recorded, RequestId, Tally, Trace, TraceSelector, TraceView, ValuePlace,
};

use crate::{options, sample_traces};

/// Enough for two groups of blocks, and a part of another.
const TRACES: u64 = 32 * 133;

/// The file of a store with [`TRACES`] traces.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 0..TRACES);
    std::fs::read(dir.path().join("traces.redb")).unwrap()
});

/// Records traces, of which each commit ends a block.
fn record(dir: &Path, numbers: impl Iterator<Item = u64>) {
    let recorder = Recorder::open(options(dir)).unwrap();
    for n in numbers {
        recorder.sink().accept(Box::new(sample_traces::capture(n)));
        if n % 32 == 31 {
            recorder.flush();
        }
    }
    assert_eq!(recorder.close().paused, None);
}

fn places() -> Vec<ValuePlace> {
    use ValuePlace::{Build, Peer, RequestBody, RequestHeaders, ResponseBody, ResponseHeaders, Target};
    let slots = (0..5).map(ValuePlace::Slot);
    [Build, Peer, Target, RequestHeaders, ResponseHeaders, RequestBody, ResponseBody]
        .into_iter()
        .chain(slots)
        .collect()
}

/// Tests the hash of a value, so that values differ in their results.
fn test(placed: PlacedValue<'_>) -> Option<bool> {
    let text = match placed {
        PlacedValue::Text(text) => text.to_owned(),
        PlacedValue::Value(Recorded::Missing(_)) => return None,
        PlacedValue::Value(value) => format!("{value:?}"),
        PlacedValue::Header(header) => format!("{header:?}"),
        PlacedValue::Body(body) => format!("{body:?}"),
    };
    let sum = text.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    if sum % 7 == 0 { None } else { Some(sum % 2 == 0) }
}

fn test_event(subject: EventSubject<'_>) -> Option<bool> {
    match subject {
        EventSubject::Step(step) => Some(step % 2 == 0),
        EventSubject::Effect(kind) => Some(kind == "kv"),
        EventSubject::Fault(_) | EventSubject::Thread(_) => None,
    }
}

fn tallies(view: &dyn TraceView) -> Result<Vec<Tally>, zerver_trace::SourceError> {
    let values =
        places().into_iter().enumerate().map(|(number, place)| view.test_values(place, number, &test));
    values.chain([view.test_events(100, &test_event)]).collect()
}

/// Visits with a query, and loads what is listed. Both must agree on every trace, and on which ones are unreadable.
fn check_query(reader: &Reader, query: &Query) -> Option<(usize, usize)> {
    let listed = match reader.list(query) {
        Ok(listed) => listed,
        Err(_) => {
            assert!(reader.visit(query, |_| ControlFlow::Continue(())).is_err(), "{query:?}");
            return None;
        }
    };
    let mut visited = Vec::new();
    let visit = reader.visit(query, |request| {
        let (summary, tallies) = (TraceView::summary(request).into_owned(), tallies(request));
        let flow = request.flow().ok().cloned();
        visited.push((summary, tallies.ok(), flow, request.load().ok()));
        ControlFlow::Continue(())
    });
    visit.unwrap();
    assert!(visited.iter().map(|(summary, ..)| summary).eq(&listed), "{query:?}");
    let mut unreadable = 0;
    for (summary, found, flow, trace) in &visited {
        let loaded = reader.load(summary.id).ok().flatten();
        assert_eq!(*trace, loaded);
        let Some(loaded) = loaded else {
            unreadable += 1;
            assert!(found.is_none() && flow.is_none());
            continue;
        };
        assert_eq!(found.as_ref(), Some(&tallies(&loaded).unwrap()));
        assert_eq!(flow.as_ref(), Some(&*loaded.flow));
    }
    Some((visited.len(), unreadable))
}

fn visited_ids(reader: &Reader, ids: &[RequestId]) -> Vec<RequestId> {
    let mut visited = Vec::new();
    let visit = reader.visit_ids(ids, |request| {
        visited.extend(request.load().ok().map(|trace| trace.id));
        ControlFlow::Continue(())
    });
    visit.unwrap();
    visited
}

#[test]
fn a_visit_sees_what_a_list_and_loads_see() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("traces.redb"), &*FILE).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let limited = |limit| Query { limit: Some(limit), ..Query::default() };
    assert_eq!(check_query(&reader, &limited(700)), Some((700, 0)));
    assert_eq!(check_query(&reader, &limited(0)), Some((0, 0)));
    let slow = Query { slower_than_ns: Some(1_000_000 + 7 * (TRACES - 200)), ..Query::default() };
    assert_eq!(check_query(&reader, &slow), Some((199, 0)));
    let early =
        Query { until_unix_ns: Some(sample_traces::capture(150).started_unix_ns), ..Query::default() };
    assert_eq!(check_query(&reader, &early), Some((150, 0)));
    let of_flow = Query { flow: Some("none".to_owned()), ..Query::default() };
    assert_eq!(check_query(&reader, &of_flow), Some((0, 0)));
    // By id: some in every group, some missing, in any order.
    let id = sample_traces::id;
    let wanted = [3, TRACES - 1, 2_048, 100, TRACES + 7, 2_047, 4_000, 100].map(id);
    assert_eq!(visited_ids(&reader, &wanted), [TRACES - 1, 4_000, 2_048, 2_047, 100, 3].map(id));
    assert!(visited_ids(&reader, &[]).is_empty());
    for n in (0..TRACES).step_by(97) {
        let found = reader.find(&TraceSelector::Id(id(n).to_string().parse().unwrap())).unwrap();
        assert_eq!(Some(found), reader.load(id(n)).unwrap());
    }
    assert!(reader.load(id(TRACES)).unwrap().is_none());
}

/// Groups of blocks only save time: without their indexes, and with damaged ones, the results are the same.
#[test]
fn indexes_of_groups_never_change_a_result() {
    let dir = tempfile::tempdir().unwrap();
    let (file, whole) = (dir.path().join("traces.redb"), &*FILE);
    std::fs::write(&file, whole).unwrap();
    // An envelope with the kind of a group.
    let groups: Vec<usize> =
        (0..whole.len() - 32).filter(|at| whole[*at..].starts_with(b"zvr1") && whole[at + 6] == 8).collect();
    let numbers: std::collections::BTreeSet<u8> = groups.iter().map(|at| whole[at + 8]).collect();
    assert!(numbers.iter().eq(&[0, 1]), "{numbers:?}");
    let results = || {
        let reader = Reader::open(dir.path()).unwrap();
        let ids: Vec<RequestId> = (0..TRACES).step_by(173).map(sample_traces::id).collect();
        let loaded: Vec<Option<Trace>> = ids.iter().map(|id| reader.load(*id).unwrap()).collect();
        let ranked =
            ["@slowest", "@fastest", "@last"].map(|name| reader.find(&name.parse().unwrap()).unwrap().id);
        let digits: Vec<usize> = ids.iter().map(|id| reader.unique_digits(&[*id]).unwrap()).collect();
        let absent = sample_traces::id(TRACES + 1);
        (
            loaded,
            ranked,
            digits,
            reader.unique_digits(&[absent]).unwrap(),
            visited_ids(&reader, &ids),
            reader.dropped_since_oldest().unwrap(),
        )
    };
    let expected = results();
    assert!(examine(dir.path()).damaged.is_empty());
    let mut bytes = whole.clone();
    groups.iter().for_each(|at| bytes[at + 40] ^= 1);
    std::fs::write(&file, &bytes).unwrap();
    assert!(results() == expected);
    let report = examine(dir.path());
    assert_eq!(report.damaged.iter().map(|block| block.key).collect::<Vec<_>>(), [0, 64]);
    assert!(report.damaged[0].reason.contains("index of the group of this block"), "{report:?}");
}

#[test]
fn every_writer_continues_the_groups_and_expiry_removes_them() {
    let dir = tempfile::tempdir().unwrap();
    // Each session ends within a group.
    for session in 0..3 {
        record(dir.path(), session * TRACES / 3..(session + 1) * TRACES / 3);
    }
    let groups = |bytes: Vec<u8>| -> std::collections::BTreeSet<u8> {
        let is_group = |at: &usize| bytes[*at..].starts_with(b"zvr1") && bytes[at + 6] == 8;
        (0..bytes.len() - 32).filter(is_group).map(|at| bytes[at + 8]).collect()
    };
    let file = dir.path().join("traces.redb");
    assert!(groups(std::fs::read(&file).unwrap()).len() >= 2);
    assert!(examine(dir.path()).damaged.is_empty());
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.list(&Query::default()).unwrap().len() as u64, TRACES);
    assert!(reader.find(&TraceSelector::Id(sample_traces::id(5).to_string().parse().unwrap())).is_ok());
    // Traces of another store end the last group.
    let traces: Vec<Trace> = (0..70)
        .map(|n| Trace {
            id: sample_traces::id(TRACES + n),
            ..reader.load(sample_traces::id(n)).unwrap().unwrap()
        })
        .collect();
    drop(reader);
    for trace in traces {
        zerver_recorder::import(dir.path(), vec![trace]).unwrap();
    }
    assert!(examine(dir.path()).damaged.is_empty());
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(
        reader.load(sample_traces::id(TRACES + 69)).unwrap().unwrap().id,
        sample_traces::id(TRACES + 69)
    );
    assert!(groups(std::fs::read(&file).unwrap()).contains(&2));
}

/// A random number generator with a fixed sequence.
fn random(case: u64, limit: usize) -> usize {
    let n =
        (case + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xd6e8_feb8_6659_fd93);
    ((n ^ n >> 29) % limit as u64) as usize
}

/// Enough for a group of blocks, and a part of another.
const DAMAGED_TRACES: u64 = 32 * 66;

#[test]
fn a_visit_of_a_damaged_store_agrees_with_loads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("traces.redb");
    record(dir.path(), 0..DAMAGED_TRACES);
    let whole = std::fs::read(&file).unwrap();
    // The envelopes of records; damage lies in what follows.
    let records: Vec<usize> = (0..whole.len() - 64).filter(|at| whole[*at..].starts_with(b"zvr1")).collect();
    // Damage to bodies makes requests unreadable, and damage to what searches read makes lists fail.
    let of_kind = |is_body: bool| -> Vec<usize> {
        records
            .iter()
            .copied()
            .filter(|at| matches!(whole[at + 6], 1 | 2 | 3 | 8) && (whole[at + 6] == 1) == is_body)
            .collect()
    };
    let (bodies, indexes) = (of_kind(true), of_kind(false));
    let (mut damaged, mut failed) = (0, 0);
    for case in 0..24 {
        let mut bytes = whole.clone();
        let hit = if case % 2 == 0 { &bodies } else { &indexes };
        for number in 0..8 {
            let at = hit[random(case * 16 + number, hit.len())];
            bytes[at + 32 + random(case + number, 24)] ^= 1 << random(case, 8);
        }
        std::fs::write(&file, &bytes).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        match check_query(
            &reader,
            &Query { limit: Some(1 + random(case, DAMAGED_TRACES as usize)), ..Query::default() },
        ) {
            Some((_, unreadable)) => damaged += usize::from(unreadable > 0),
            None => failed += 1,
        }
        if reader.counts().is_err() {
            assert!(reader.visit_ids(&[], |_| ControlFlow::Continue(())).is_err());
            continue;
        }
        // By id, as much as possible is found.
        let ids: Vec<RequestId> = (0..DAMAGED_TRACES).step_by(41).map(sample_traces::id).collect();
        let mut visited = visited_ids(&reader, &ids);
        visited.sort_unstable();
        assert!(
            visited.iter().eq(ids.iter().filter(|id| matches!(reader.load(**id), Ok(Some(_))))),
            "case {case}"
        );
    }
    assert!(damaged > 3 && failed > 3, "{damaged} {failed}");
}
