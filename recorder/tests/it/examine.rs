//! The report about a store is correct in every state of the store.

use std::fs;
use std::path::Path;

use zerver_recorder::{Recorder, examine, import};
use zerver_trace::Event;

use crate::{options, sample_traces};

fn record_secrets(dir: &Path, ids: std::ops::Range<u64>) {
    let recorder = Recorder::open(options(dir)).unwrap();
    for n in ids {
        let mut capture = sample_traces::capture(n);
        let value = sample_traces::datum(format!("hunter2 hunter2 {n}"));
        capture.events.push(Event::SlotWritten { step: 0, slot: 0, at_ns: 0, value });
        recorder.sink().accept(Box::new(capture));
    }
    recorder.close();
}

#[test]
fn a_store_with_only_imported_traces_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    import(dir.path(), (0..5).map(sample_traces::trace).collect()).unwrap();
    let mut progress = Vec::new();
    let report = zerver_recorder::examine_with(dir.path(), &mut |read, of| progress.push((read, of)));
    assert_eq!(progress, [(0, 1)], "one block");
    assert_eq!((report.traces, report.counts.recorded), (5, 5));
    assert_eq!((report.has_key, report.secrets, report.unreadable_secrets), (false, 0, 0));
    assert!(
        report.problem.is_none() && report.invalid_files.is_empty() && report.damaged.is_empty(),
        "{report:?}"
    );
}

#[test]
fn secrets_without_their_key_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    record_secrets(dir.path(), 0..10);
    let report = examine(dir.path());
    assert_eq!((report.has_key, report.secrets, report.unreadable_secrets), (true, 10, 0));
    fs::remove_file(dir.path().join("key")).unwrap();
    let report = examine(dir.path());
    assert_eq!((report.has_key, report.secrets, report.unreadable_secrets), (false, 10, 10));
    // The next recorder creates another key, which opens the secrets sealed under it.
    record_secrets(dir.path(), 10..14);
    let report = examine(dir.path());
    assert_eq!((report.has_key, report.secrets, report.unreadable_secrets), (true, 14, 10));
    assert!(report.invalid_files.is_empty(), "{report:?}");
    fs::write(dir.path().join("key"), "short").unwrap();
    let report = examine(dir.path());
    assert!(!report.has_key && report.invalid_files[0].1.contains("5 bytes long"), "{report:?}");
}

#[test]
fn a_link_in_the_place_of_a_file_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    record_secrets(dir.path(), 0..1);
    for name in ["lock", "key"] {
        let path = dir.path().join(name);
        fs::rename(&path, path.with_extension("old")).unwrap();
        std::os::unix::fs::symlink(path.with_extension("old"), &path).unwrap();
    }
    let invalid_files = examine(dir.path()).invalid_files;
    for name in ["lock", "key"] {
        let is_reported =
            invalid_files.iter().any(|(path, why)| path.ends_with(name) && why.contains("a symbolic link"));
        assert!(is_reported, "{name}: {invalid_files:?}");
    }
}

#[test]
fn the_used_bytes_of_the_file_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    Recorder::open(options(dir.path())).unwrap().close();
    assert_eq!(examine(dir.path()).bytes_used, 0);
    record_secrets(dir.path(), 0..400);
    let report = examine(dir.path());
    assert!((10_000..=report.bytes).contains(&report.bytes_used), "{report:?}");
}
