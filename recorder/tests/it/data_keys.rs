//! Secrets of services that belong to a fleet: sealed under a data key of each process, which the store keeps.

use std::collections::BTreeSet;
use std::path::Path;

use zerver_recorder::{
    DataKey, HashKey, Reader, Recorder, RecorderOptions, SealError, SpoolReader, examine, repair,
};
use zerver_trace::{Capture, Event, Recorded, Trace};

use crate::options;
use crate::sample_traces::{self, datum};

const NEEDLE: &str = "needle-hunter2-correct-horse";

/// Opens a recorder of a service that has the hash key of its fleet.
fn recorder(dir: &Path) -> Recorder {
    Recorder::open(RecorderOptions { hash_key: Some(HashKey::new([5; 32])), ..options(dir) }).unwrap()
}

/// Returns a request with a secret.
fn secret_capture(n: u64) -> Capture {
    let mut request = sample_traces::capture(n);
    // The first slot is secret.
    request.events.push(Event::SlotWritten { step: 0, slot: 0, at_ns: 21, value: datum(NEEDLE) });
    request
}

fn record(recorder: &Recorder, requests: std::ops::Range<u64>) {
    requests.for_each(|n| recorder.sink().accept(Box::new(secret_capture(n))));
    recorder.flush();
}

fn load(reader: &Reader, n: u64) -> Trace {
    reader.load(sample_traces::id(n)).unwrap().unwrap()
}

fn sealed(trace: &Trace) -> &Recorded {
    let Some(Event::SlotWritten { value, .. }) = trace.events.last() else { panic!("{trace:?}") };
    value
}

fn is_readable(reader: &Reader, n: u64) -> bool {
    let trace = load(reader, n);
    assert!(!format!("{trace:?}").contains("needle"));
    reader.unseal(&trace, sealed(&trace)).is_ok_and(|open| format!("{open:?}").contains(NEEDLE))
}

fn keys(dir: &Path) -> Vec<DataKey> {
    SpoolReader::open(dir).unwrap().data_keys(|_| false).unwrap()
}

#[test]
fn each_process_seals_under_a_key_of_its_own_and_the_store_opens_them_all() {
    let dir = tempfile::tempdir().unwrap();
    for process in 0..3 {
        let recorder = recorder(dir.path());
        record(&recorder, process * 10..process * 10 + 10);
    }
    let reader = Reader::open(dir.path()).unwrap();
    let traces = [0, 10, 20].map(|n| load(&reader, n));
    let ids: BTreeSet<_> = traces.iter().map(|trace| trace.sealed_by.0.unwrap()).collect();
    assert_eq!(ids, keys(dir.path()).iter().map(DataKey::id).collect());
    assert_eq!(ids.len(), 3);
    assert!((0..30).all(|n| is_readable(&reader, n)));
    // Equal secrets have equal hashes, although their keys differ.
    let hash = |trace: &Trace| match sealed(trace) {
        Recorded::Sealed { hash, sealed, .. } => (*hash, sealed.clone()),
        other => panic!("{other:?}"),
    };
    let (one, other) = (hash(&traces[0]), hash(&traces[1]));
    assert!(one.0 == other.0 && one.1 != other.1);
    assert!(traces[0].redaction.has_same_key(&traces[2].redaction));
    let report = examine(dir.path());
    assert_eq!((report.secrets, report.unreadable_secrets), (30, 0));
    let known = keys(dir.path())[1].id();
    let rest = SpoolReader::open(dir.path()).unwrap().data_keys(|id| id == known).unwrap();
    assert_eq!(rest.len(), 2);
}

#[test]
fn neither_the_secret_nor_its_key_is_in_the_database() {
    let dir = tempfile::tempdir().unwrap();
    record(&recorder(dir.path()), 0..3);
    let file = std::fs::read(dir.path().join("traces.redb")).unwrap();
    let is_in = |bytes: &[u8]| memchr_find(&file, bytes);
    assert!(!is_in(NEEDLE.as_bytes()) && !is_in(keys(dir.path())[0].bytes()) && !is_in(&[5; 32]));
    // Without the key of the store, nothing opens.
    std::fs::remove_file(dir.path().join("key")).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let trace = load(&reader, 1);
    assert!(matches!(reader.unseal(&trace, sealed(&trace)), Err(SealError::NoKey { .. })));
    assert!(keys(dir.path()).is_empty());
    assert_eq!(examine(dir.path()).unreadable_secrets, 3);
    // Nor with that of another.
    std::fs::write(dir.path().join("key"), [1; 32]).unwrap();
    assert!(matches!(reader.unseal(&trace, sealed(&trace)), Err(SealError::WrongKey { .. })));
}

fn memchr_find(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn a_process_that_records_nothing_leaves_no_key() {
    let dir = tempfile::tempdir().unwrap();
    recorder(dir.path()).close();
    assert!(keys(dir.path()).is_empty());
    // Nor does one without a hash key, whose secrets the key of the store seals.
    record(&Recorder::open(options(dir.path())).unwrap(), 0..1);
    assert!(keys(dir.path()).is_empty());
    let reader = Reader::open(dir.path()).unwrap();
    assert!(is_readable(&reader, 0) && load(&reader, 0).sealed_by.0.is_none());
}

#[test]
fn keys_survive_the_removal_of_the_store_and_of_its_key_while_they_are_used() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = recorder(dir.path());
    record(&recorder, 0..10);
    let before = keys(dir.path())[0].id();
    std::fs::remove_file(dir.path().join("traces.redb")).unwrap();
    std::fs::remove_file(dir.path().join("key")).unwrap();
    record(&recorder, 10..20);
    assert_eq!(keys(dir.path())[0].id(), before, "the process keeps its key");
    assert!(is_readable(&Reader::open(dir.path()).unwrap(), 15));
    // Another store with another key takes the place of the first.
    std::fs::remove_file(dir.path().join("traces.redb")).unwrap();
    std::fs::write(dir.path().join("key"), [1; 32]).unwrap();
    record(&recorder, 20..30);
    recorder.close();
    assert!(is_readable(&Reader::open(dir.path()).unwrap(), 25));
}

#[test]
fn a_repair_saves_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    for process in 0..2 {
        record(&recorder(dir.path()), process * 10..process * 10 + 10);
    }
    let file = dir.path().join("traces.redb");
    for round in 0..2 {
        let mut bytes = std::fs::read(&file).unwrap();
        // The metadata of the store, which has no copy.
        let at = bytes.windows(7).position(|window| window[..4] == *b"zvr1" && window[6] == 4).unwrap();
        bytes[at + 33] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let report = repair(dir.path()).unwrap();
        assert!(report.moved_to.is_some(), "{round}: {report:?}");
        assert_eq!((report.secrets, report.unreadable_secrets), (20, 0), "{round}");
    }
    let reader = Reader::open(dir.path()).unwrap();
    assert!((0..20).all(|n| is_readable(&reader, n)));
    drop(reader);
    // They stay when the store is written to again.
    record(&recorder(dir.path()), 20..30);
    let reader = Reader::open(dir.path()).unwrap();
    assert!((0..30).all(|n| is_readable(&reader, n)));
}

#[test]
fn keys_go_when_their_last_block_has_gone() {
    let dir = tempfile::tempdir().unwrap();
    let options = || RecorderOptions {
        hash_key: Some(HashKey::new([5; 32])),
        max_bytes: Some(4 << 20),
        ..options(dir.path())
    };
    let fill = |from: u64| {
        let recorder = Recorder::open(options()).unwrap();
        for n in from..from + 200 {
            let mut request = secret_capture(n);
            let mut state = n + 1;
            let noise: String = std::iter::repeat_with(|| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                char::from(33 + (state % 90) as u8)
            })
            .take(15_000)
            .collect();
            request.events.push(Event::SlotWritten { step: 0, slot: 2, at_ns: 22, value: datum(noise) });
            recorder.sink().accept(Box::new(request));
            if n % 50 == 0 {
                recorder.flush();
            }
        }
        recorder.flush();
    };
    for process in 0..6 {
        fill(process * 200);
    }
    record(&Recorder::open(options()).unwrap(), 5_000..5_001);
    let left = keys(dir.path());
    let reader = Reader::open(dir.path()).unwrap();
    let used: BTreeSet<_> = reader
        .list(&zerver_trace::Query::default())
        .unwrap()
        .iter()
        .map(|summary| reader.load(summary.id).unwrap().unwrap().sealed_by.0.unwrap())
        .collect();
    let left: BTreeSet<_> = left.iter().map(DataKey::id).collect();
    assert!(used.is_subset(&left) && left.len() <= used.len() + 1 && left.len() < 7, "{used:?} {left:?}");
}
