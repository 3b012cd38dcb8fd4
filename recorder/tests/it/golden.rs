//! What each released schema wrote, kept for ever: every build reads it. The files are made by this test when
//! `ZERVER_WRITE_GOLDEN` is set, once for a new schema, and never changed afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zerver_recorder::{Options, Reader, Recorder, portable};
use zerver_trace::{
    Answer, EffectError, EffectErrorKind, Event, FailureInfo, FailureKind, Name, Outcome, Query, Trace,
};

use crate::sample::{self, Told, datum, headers};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/v1")
}

fn captures() -> Vec<zerver_trace::Capture> {
    let mut all: Vec<_> = (0..130).map(sample::capture).collect();
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
    all[6].outcome = Outcome::Gone { step: 0 };
    all[6].response = None;
    all[6].status = 0;
    all[7].outcome = Outcome::Rejected { reason: "two Host headers".to_owned() };
    all[8].events.extend([
        Event::Yielded { step: 1, progress: datum(vec![Some(1.5), None]) },
        Event::Wrote { step: 0, slot: 0, at_ns: 77, value: datum("a golden secret") },
        Event::Wrote { step: 0, slot: 3, at_ns: 78, value: datum("with a golden secret inside") },
        Event::Wrote { step: 0, slot: 1, at_ns: 79, value: datum("x".repeat(300_000)) },
        Event::Answered {
            call: 7,
            at_ns: 80,
            answer: Answer::Err(EffectError::new(EffectErrorKind::Timeout, "after 300 ms")),
        },
        Event::Answered { call: 8, at_ns: 81, answer: Answer::Cancelled },
    ]);
    all[9].request = Arc::new(Told(zerver_trace::MessageInfo::Request(zerver_trace::RequestInfo {
        method: "POST".to_owned(),
        target: "/v1/login?token=golden-token".to_owned(),
        version: "HTTP/2.0".to_owned(),
        peer: "[::1]:9".to_owned(),
        headers: headers(&[("authorization", "Bearer golden-bearer"), ("x-bytes", "\u{fc}")]),
        body: zerver_trace::Body { bytes: b"\xff\x00 cut".to_vec(), full_len: 99_999 },
    })));
    all
}

fn write(folder: &Path) {
    let store = folder.join("store");
    fs::create_dir_all(&store).unwrap();
    let options = Options { build: "golden".to_owned(), ..sample::options(&store) };
    let recorder = Recorder::open(options).unwrap();
    recorder.declare(&[sample::flow()]);
    captures().into_iter().for_each(|capture| recorder.sink().accept(Box::new(capture)));
    recorder.close();
    fs::remove_file(store.join("lock")).unwrap();
    let reader = Reader::open(&store).unwrap();
    let traces: Vec<Trace> = (0..130).map(|n| reader.load(sample::id(n)).unwrap().unwrap()).collect();
    fs::write(folder.join("trace.zvr"), portable::write(&traces[9]).unwrap()).unwrap();
    fs::write(folder.join("store.txt"), told(&reader, &traces)).unwrap();
}

/// All that is in a store, as text.
fn told(reader: &Reader, traces: &[Trace]) -> String {
    let mut text = format!("{:#?}\n{:#?}\n", reader.declared().unwrap(), reader.counts().unwrap());
    for trace in traces.iter().take(12).chain(traces.last()) {
        text.push_str(&format!("{trace:#?}\n"));
        for event in &trace.events {
            if let Event::Wrote { value, .. } = event {
                text.push_str(&format!("{:?}\n", reader.unseal(value).unwrap()));
            }
        }
    }
    text
}

#[test]
fn what_schema_1_wrote_can_be_read() {
    if std::env::var_os("ZERVER_WRITE_GOLDEN").is_some() {
        assert!(!folder().exists(), "golden files are never changed");
        write(&folder());
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["traces.redb", "key"] {
        fs::copy(folder().join("store").join(name), dir.path().join(name)).unwrap();
    }
    let reader = Reader::open(dir.path()).unwrap();
    let list = reader.list(&Query::default()).unwrap();
    let traces: Vec<Trace> =
        list.iter().rev().map(|summary| reader.load(summary.id).unwrap().unwrap()).collect();
    assert_eq!(traces.len(), 130);
    let wanted = fs::read_to_string(folder().join("store.txt")).unwrap();
    assert!(told(&reader, &traces) == wanted, "the golden store reads differently");
    let file = fs::read(folder().join("trace.zvr")).unwrap();
    let exported = portable::read(&file).unwrap();
    assert_eq!(exported, portable::read(&portable::write(&traces[9]).unwrap()).unwrap());
    // A store of this schema can also be written to.
    drop(reader);
    let recorder = Recorder::open(sample::options(dir.path())).unwrap();
    recorder.sink().accept(Box::new(sample::capture(130)));
    assert_eq!(recorder.close().recorded, 1);
    assert_eq!(Reader::open(dir.path()).unwrap().list(&Query::default()).unwrap().len(), 131);
}
