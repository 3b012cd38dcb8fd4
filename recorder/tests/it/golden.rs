//! Golden files: data in every released schema, which every later build must read.
//!
//! With `ZERVER_WRITE_GOLDEN` set, this test writes the files of a new schema once. They are never changed afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zerver_recorder::{Reader, Recorder, RecorderOptions, portable};
use zerver_trace::{
    Answer, EffectError, EffectErrorKind, Event, FailureInfo, FailureKind, Name, Origin, Outcome, Query,
    QueueReason, Recorded, RequestPart, Thread, Trace,
};

use crate::options;
use crate::sample_traces::{self, FixedMessage, datum, headers};

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden").join(version)
}

fn captures() -> Vec<zerver_trace::Capture> {
    let mut all: Vec<_> = (0..130).map(sample_traces::capture).collect();
    all[10].events.insert(1, Event::Migrated { at_ns: 15, to: Thread::Worker(0) });
    all[11].worker = None;
    all[11].events.insert(1, Event::Migrated { at_ns: 15, to: Thread::BatchWorker(700) });
    all[3].outcome = Outcome::Panicked { step: 2, message: "index out of bounds".to_owned() };
    all[4].outcome = Outcome::Failed(FailureInfo {
        kind: FailureKind::NotFound,
        what: Name::from("todo"),
        key: "456".to_owned(),
        message: "it is gone".to_owned(),
        step: Some(2),
        call: Some(0),
        causes: vec!["the kv store said so".to_owned()],
    });
    all[4].status = 404;
    all[5].outcome = Outcome::TimedOut { step: 1 };
    all[6].outcome = Outcome::ClientLeft { step: 0 };
    all[6].response = None;
    all[6].status = 0;
    all[7].outcome = Outcome::Rejected { reason: "two Host headers".to_owned() };
    all[8].events.extend([
        Event::StepYielded { step: 1, progress: datum(vec![Some(1.5), None]) },
        Event::SlotWritten { step: 0, slot: 0, at_ns: 77, value: datum("a golden secret") },
        Event::SlotWritten { step: 0, slot: 3, at_ns: 78, value: datum("with a golden secret inside") },
        Event::SlotWritten { step: 0, slot: 1, at_ns: 79, value: datum("x".repeat(300_000)) },
        Event::EffectCompleted {
            call: 7,
            at_ns: 80,
            answer: Answer::Err(EffectError::new(EffectErrorKind::Timeout, "after 300 ms")),
        },
        Event::EffectCompleted { call: 8, at_ns: 81, answer: Answer::Canceled },
    ]);
    all[12].events.extend([
        Event::EffectQueued { call: 0, at_ns: 21, reason: QueueReason::Kind },
        Event::CompletionDelayed {
            call: 0,
            ready_ns: 90,
            at_ns: 1_000_090,
            thread: Some(Thread::Worker(1)),
            flow: Name::from("report"),
            step: Name::from("spin"),
        },
        Event::ReadDelayed {
            part: RequestPart::Body,
            unread_ns: 600_000_000,
            ran_ns: 700_000_000,
            flow: Name::from("report"),
            step: Name::from("spin"),
        },
    ]);
    all[13].outcome = Outcome::Panicked { step: 1, message: "password=golden-password".to_owned() };
    let file = Name::from("src/todos.rs");
    all[13].events.push(Event::StepPanicked { step: 1, at_ns: 82, file, line: 7, column: 9 });
    all[14].outcome = Outcome::Rejected { reason: "x".repeat(100_000) };
    all[9].request = Arc::new(FixedMessage(zerver_trace::MessageInfo::Request(zerver_trace::RequestInfo {
        method: "POST".to_owned(),
        target: "/v1/login?token=golden-token".to_owned(),
        version: "HTTP/2.0".to_owned(),
        peer: "[::1]:9".to_owned(),
        headers: headers(&[("authorization", "Bearer golden-bearer"), ("x-bytes", "\u{fc}")]),
        body: zerver_trace::Body { bytes: b"\xff\x00 cut".to_vec(), full_len: 99_999 },
        origin: "http://golden.example:8080".to_owned(),
    })));
    all
}

/// Records the captures into a folder.
fn record(dir: &Path) -> Reader {
    let recorder = Recorder::open(RecorderOptions { build: "golden".to_owned(), ..options(dir) }).unwrap();
    recorder.declare(&[sample_traces::flow()]);
    captures().into_iter().for_each(|capture| recorder.sink().accept(Box::new(capture)));
    assert_eq!(recorder.close().recorded, 130);
    Reader::open(dir).unwrap()
}

fn write(folder: &Path) {
    let store = folder.join("store");
    fs::create_dir_all(&store).unwrap();
    let reader = record(&store);
    fs::remove_file(store.join("lock")).unwrap();
    let trace = reader.load(sample_traces::id(9)).unwrap().unwrap();
    fs::write(folder.join("trace.zrv"), portable::write(&trace).unwrap()).unwrap();
}

/// Returns the traces of a store, oldest first, each with its unsealed secrets. The sealed bytes differ every time.
fn traces_and_secrets(reader: &Reader) -> Vec<(Trace, Vec<Recorded>)> {
    let list = reader.list(&Query::default()).unwrap();
    let tell = |summary: &zerver_trace::Summary| {
        let trace = reader.load(summary.id).unwrap().unwrap();
        let mut unsealed = Vec::new();
        for event in &trace.events {
            if let Event::SlotWritten { value, .. } = event {
                unsealed.push(reader.unseal(&trace, value).unwrap());
            }
        }
        // A portable file holds everything but the sealed bytes.
        (portable::read(&portable::write(&trace).unwrap()).unwrap(), unsealed)
    };
    list.iter().rev().map(tell).collect()
}

/// Writes the golden files of this schema if requested.
fn write_golden_if_requested(version: &str) {
    let folder = folder(version);
    if std::env::var_os("ZERVER_WRITE_GOLDEN").is_some() {
        assert!(!folder.exists(), "golden files are never changed");
        write(&folder);
    }
}

#[test]
fn a_store_of_schema_3_is_read() {
    write_golden_if_requested("v3");
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in ["traces.redb", "key"] {
        fs::copy(folder("v3").join("store").join(name), old.path().join(name)).unwrap();
    }
    // Hashes and masks depend on the key.
    fs::copy(folder("v3").join("store/key"), new.path().join("key")).unwrap();
    let (old_reader, new_reader) = (Reader::open(old.path()).unwrap(), record(new.path()));
    let (golden, fresh) = (traces_and_secrets(&old_reader), traces_and_secrets(&new_reader));
    assert_eq!((golden.len(), fresh.len()), (130, 130));
    for (golden, fresh) in golden.iter().zip(&fresh) {
        assert_eq!(golden, fresh);
    }
    assert_eq!(old_reader.flow_catalog().unwrap(), new_reader.flow_catalog().unwrap());
    assert_eq!(old_reader.counts().unwrap(), new_reader.counts().unwrap());
    let file = fs::read(folder("v3").join("trace.zrv")).unwrap();
    assert_eq!(portable::read(&file).unwrap(), fresh[9].0);
    // A store of this schema can be written to.
    drop(old_reader);
    let recorder = Recorder::open(options(old.path())).unwrap();
    recorder.sink().accept(Box::new(sample_traces::capture(130)));
    assert_eq!(recorder.close().recorded, 1);
    assert_eq!(Reader::open(old.path()).unwrap().list(&Query::default()).unwrap().len(), 131);
}

/// Portable files of older schemas remain readable. Fields that they lack are "not recorded".
#[test]
fn portable_files_of_schemas_1_and_2_are_read() {
    let new = tempfile::tempdir().unwrap();
    // Hashes and masks depend on the key.
    fs::copy(folder("v2").join("store/key"), new.path().join("key")).unwrap();
    let fresh = traces_and_secrets(&record(new.path())).swap_remove(9).0;
    let read = |version| portable::read(&fs::read(folder(version).join("trace.zrv")).unwrap()).unwrap();
    let redaction = zerver_trace::Redaction::default();
    assert_eq!(read("v2"), Trace { origin: Origin::NotRecorded, redaction, ..fresh });
    let first = read("v1");
    assert_eq!((first.worker, first.origin), (None, Origin::NotRecorded));
}

#[test]
fn a_store_of_schema_2_is_rejected_with_advice() {
    let old = tempfile::tempdir().unwrap();
    for name in ["traces.redb", "key"] {
        fs::copy(folder("v2").join("store").join(name), old.path().join(name)).unwrap();
    }
    let error = Reader::open(old.path()).unwrap_err();
    let error: &dyn std::error::Error = &error;
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        message += &format!(": {source}");
        next = source.source();
    }
    assert!(message.contains("schema 2.0 is older than 3.0"), "{message}");
}
