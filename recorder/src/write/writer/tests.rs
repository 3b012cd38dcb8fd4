//! The writer on a disk that fails, with stores that disappear, and with values that panic.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use zerver_trace::Query;

use crate::backend::disk_faults::{self, DiskFaults};
use crate::backend::store_dir;
use crate::backend::table::Table;
use crate::backend::write_batch::WriteBatch;
use crate::backend::write_store::WriteStore;
use crate::read::folder::folder_blocks::FolderBlocks;
use crate::{Reader, Recorder, RecorderOptions, RecorderStatus, StatusEvent, StoreOrigin, sample_traces};

/// Time limit of every wait.
const PATIENCE: Duration = Duration::from_secs(120);

fn recorder(dir: &Path) -> (Recorder, std::sync::Arc<DiskFaults>) {
    let faults = disk_faults::install(&store_dir::store_file(dir));
    let origin = StoreOrigin { package: Some("/app".into()), program: Some("/target/app".into()) };
    let options = RecorderOptions { max_age: None, queue_len: 400, origin, ..RecorderOptions::new(dir) };
    (Recorder::open(options).unwrap(), faults)
}

/// Polls until the status is as expected.
fn until(recorder: &Recorder, wanted: impl Fn(&RecorderStatus) -> bool) -> RecorderStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = recorder.status();
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{status:?}");
        std::thread::yield_now();
    }
}

fn recorded(dir: &Path) -> Vec<u64> {
    let list = Reader::open(dir).unwrap().list(&Query::default()).unwrap();
    list.iter().rev().map(|summary| (summary.started_unix_ns - sample_traces::START_NS) / 1_000_000).collect()
}

#[test]
fn a_single_disk_failure_loses_nothing_wherever_it_occurs() {
    let (mut failed, mut struck) = (0, true);
    while struck {
        let dir = tempfile::tempdir().unwrap();
        let (recorder, faults) = recorder(dir.path());
        let sink = recorder.sink();
        (0..5).for_each(|n| sink.accept(Box::new(sample_traces::capture(n))));
        recorder.flush();
        faults.fail_after(failed, false);
        (5..200).for_each(|n| sink.accept(Box::new(sample_traces::capture(n))));
        let status = until(&recorder, |status| status.recorded == 200 && status.paused.is_none());
        assert_eq!((status.dropped, status.lost), (0, 0));
        struck = faults.failures.load(std::sync::atomic::Ordering::SeqCst) > 0;
        faults.stop();
        recorder.close();
        assert_eq!(recorded(dir.path()), (0..200).collect::<Vec<_>>(), "after {failed}");
        failed += 1;
    }
    assert!(failed > 10, "only {failed} operations");
}

#[test]
fn recording_pauses_on_a_full_disk_and_resumes_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, faults) = recorder(dir.path());
    let sink = recorder.sink();
    sink.accept(Box::new(sample_traces::capture(0)));
    recorder.flush();
    faults.fail_after(0, true);
    sink.accept(Box::new(sample_traces::capture(1)));
    let status = until(&recorder, |status| status.paused.is_some());
    assert!(status.paused.as_ref().unwrap().contains("no storage space"), "{status:?}");
    // Requests continue; those that do not fit the queue are counted.
    (2..600).for_each(|n| sink.accept(Box::new(sample_traces::capture(n))));
    assert_eq!(recorder.flush().dropped, 198, "a flush must not wait for space");
    faults.stop();
    until(&recorder, |status| status.paused.is_none() && status.recorded == 402);
    sink.accept(Box::new(sample_traces::capture(600)));
    assert_eq!(recorder.close().recorded, 403);
    assert_eq!(recorded(dir.path()), (0..402).chain([600]).collect::<Vec<_>>());
    assert_eq!(Reader::open(dir.path()).unwrap().counts().unwrap().dropped, 198);
}

#[test]
fn the_observer_receives_every_change_of_recording() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, faults) = recorder(dir.path());
    let (sender, events) = std::sync::mpsc::channel();
    recorder.observe(move |change| sender.send(change.clone()).unwrap());
    let next = || events.recv_timeout(PATIENCE).unwrap();
    let sink = recorder.sink();
    let mut total = 0;
    for round in 0..2 {
        faults.fail_after(0, true);
        sink.accept(Box::new(sample_traces::capture(round * 1_000)));
        assert!(matches!(next(), StatusEvent::Paused { reason } if reason.contains("no storage space")));
        (1..600).for_each(|n| sink.accept(Box::new(sample_traces::capture(round * 1_000 + n))));
        assert!(matches!(next(), StatusEvent::Dropped { count: 1.., is_paused: true }));
        faults.stop();
        let StatusEvent::Resumed { dropped } = next() else { panic!("unexpected event") };
        // The first one may have been on its way to the disk, or waiting like the others.
        assert!((199..=200).contains(&dropped), "{dropped}");
        total += dropped;
        // The next round starts with an empty queue.
        until(&recorder, |status| status.recorded + status.dropped == (round + 1) * 600);
    }
    assert_eq!(recorder.close().dropped, total);
    assert_eq!(events.try_iter().count(), 0);
}

#[test]
fn traces_that_a_full_disk_prevents_until_the_end_count_as_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, faults) = recorder(dir.path());
    faults.fail_after(0, true);
    (0..300).for_each(|n| recorder.sink().accept(Box::new(sample_traces::capture(n))));
    until(&recorder, |status| status.paused.is_some());
    let status = recorder.close();
    assert_eq!((status.recorded, status.lost), (0, 300));
}

#[test]
fn a_single_disk_failure_during_the_close_loses_nothing_wherever_it_occurs() {
    let (mut failed, mut struck) = (0, true);
    while struck {
        let dir = tempfile::tempdir().unwrap();
        let (recorder, faults) = recorder(dir.path());
        let sink = recorder.sink();
        sink.accept(Box::new(sample_traces::capture(0)));
        recorder.flush();
        faults.fail_after(failed, false);
        (1..60).for_each(|n| sink.accept(Box::new(sample_traces::capture(n))));
        let status = recorder.close();
        assert_eq!((status.recorded, status.lost, status.paused), (60, 0, None), "after {failed}");
        struck = faults.failures.load(std::sync::atomic::Ordering::SeqCst) > 0;
        assert_eq!(recorded(dir.path()), (0..60).collect::<Vec<_>>(), "after {failed}");
        failed += 1;
    }
    assert!(failed > 5, "only {failed} operations");
}

/// Returns the `n`th sample capture, with a secret.
fn secret(n: u64) -> Box<zerver_trace::Capture> {
    let mut capture = sample_traces::capture(n);
    let value = sample_traces::datum(format!("hunter2 hunter2 {n}"));
    capture.events.push(zerver_trace::Event::SlotWritten { step: 0, slot: 0, at_ns: 0, value });
    Box::new(capture)
}

/// A way in which a store may be removed.
type Removal = (&'static str, fn(&Path));

fn removals() -> [Removal; 4] {
    [
        ("the file", |dir| std::fs::remove_file(store_dir::store_file(dir)).unwrap()),
        ("the folder", |dir| std::fs::remove_dir_all(dir).unwrap()),
        ("moved", |dir| std::fs::rename(dir, dir.with_extension("old")).unwrap()),
        ("the lock", |dir| std::fs::remove_file(dir.join("lock")).unwrap()),
    ]
}

#[test]
fn a_store_that_is_removed_is_created_again_and_recording_continues() {
    for (what, remove) in removals() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("store");
        let (recorder, _) = recorder(&dir);
        recorder.declare(&[sample_traces::flow()]);
        let (sender, events) = std::sync::mpsc::channel();
        recorder.observe(move |change| sender.send(change.clone()).unwrap());
        let sink = recorder.sink();
        // A full block, and a part of one that is extended later.
        (0..150).for_each(|n| sink.accept(Box::new(sample_traces::capture(n))));
        recorder.flush();
        (150..155).for_each(|n| sink.accept(Box::new(sample_traces::capture(n))));
        recorder.flush();
        remove(&dir);
        (155..400).for_each(|n| sink.accept(secret(n)));
        recorder.flush();
        assert!(store_dir::store_file(&dir).exists(), "{what}");
        sink.accept(Box::new(sample_traces::capture(400)));
        let status = recorder.close();
        assert_eq!((status.recorded, status.lost, status.paused), (401, 0, None), "{what}");
        let is_gone = what != "the lock";
        assert_eq!(status.replaced, u64::from(is_gone), "{what}");
        let moved: Vec<_> = events.try_iter().collect();
        assert_eq!(moved.len(), usize::from(is_gone), "{what}: {moved:?}");
        // The unfinished block is written again with its traces, and later traces are not lost.
        let left = recorded(&dir);
        assert_eq!(left[..], (0..401).collect::<Vec<_>>()[left[0] as usize..], "{what}");
        assert!(left[0] <= if is_gone { 155 } else { 0 }, "{what}: {}", left[0]);
        let report = crate::examine(&dir);
        assert!(report.damaged.is_empty() && report.problem.is_none(), "{what}: {report:?}");
        assert_eq!(report.counts.recorded, left.len() as u64, "{what}");
        let reader = Reader::open(&dir).unwrap();
        assert_eq!(reader.flows().unwrap().len(), 1, "{what}");
        assert_eq!(reader.origin().unwrap().program, Some("/target/app".into()), "{what}");
        // Its secrets open with the key beside it.
        let secrets = reader.open_secrets(&reader.load(sample_traces::id(399)).unwrap().unwrap()).unwrap();
        assert!(!secrets.is_empty(), "{what}");
    }
}

#[test]
fn recording_continues_in_a_store_that_replaces_another() {
    let root = tempfile::tempdir().unwrap();
    let (dir, other) = (root.path().join("store"), root.path().join("other"));
    let (recorder, _) = recorder(&dir);
    let before = Recorder::open(RecorderOptions { max_age: None, ..RecorderOptions::new(&other) }).unwrap();
    (0..40).for_each(|n| before.sink().accept(secret(n)));
    before.close();
    let sink = recorder.sink();
    (40..45).for_each(|n| sink.accept(Box::new(sample_traces::capture(n))));
    recorder.flush();
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::rename(&other, &dir).unwrap();
    (45..299).for_each(|n| sink.accept(secret(n)));
    recorder.flush();
    sink.accept(secret(299));
    assert_eq!(recorder.close().recorded, 260);
    assert_eq!(recorded(&dir), (0..300).collect::<Vec<_>>());
    let report = crate::examine(&dir);
    assert!(report.damaged.is_empty() && report.problem.is_none(), "{report:?}");
    let reader = Reader::open(&dir).unwrap();
    assert_eq!(reader.counts().unwrap().recorded, 300);
    // Traces after the replacement are sealed under the key of the other store.
    for n in [0, 299] {
        let secrets = reader.open_secrets(&reader.load(sample_traces::id(n)).unwrap().unwrap());
        assert!(secrets.is_ok_and(|secrets| !secrets.is_empty()), "{n}");
    }
}

#[test]
fn recording_pauses_if_the_replacement_cannot_be_a_store() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("store");
    let (recorder, _) = recorder(&dir);
    let precious = root.path().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::create_dir(&dir).unwrap();
    std::os::unix::fs::symlink(&precious, dir.join("lock")).unwrap();
    recorder.sink().accept(Box::new(sample_traces::capture(0)));
    let status = until(&recorder, |status| status.paused.is_some());
    assert!(status.paused.as_ref().unwrap().contains("symbolic link"), "{status:?}");
    assert_eq!(std::fs::read(&precious).unwrap(), b"precious");
    std::fs::remove_file(dir.join("lock")).unwrap();
    until(&recorder, |status| status.paused.is_none() && status.recorded == 1);
    recorder.close();
    assert_eq!(recorded(&dir), [0]);
}

#[test]
fn a_value_that_panics_affects_no_other_value() {
    struct Bomb(bool);
    impl zerver_trace::Recordable for Bomb {
        fn encode(&self, _: &mut zerver_trace::value::Encoder) -> Result<(), zerver_trace::ValueError> {
            panic!("boom")
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "dropped");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = recorder(dir.path());
    for (n, in_drop) in [(0, false), (1, true), (2, false)] {
        let mut capture = sample_traces::capture(n);
        let value: zerver_trace::SharedValue = std::sync::Arc::new(Bomb(in_drop));
        capture.events.push(zerver_trace::Event::SlotWritten { step: 0, slot: 1, at_ns: 0, value });
        recorder.sink().accept(Box::new(capture));
    }
    let status = recorder.close();
    assert_eq!((status.recorded, status.lost, status.paused), (3, 0, None));
    let trace = Reader::open(dir.path()).unwrap().load(sample_traces::id(2)).unwrap().unwrap();
    let last = format!("{:?}", trace.events.last());
    assert!(last.contains("Missing(Failed(\"Serialize panicked: boom\"))"), "{last}");
}

#[test]
fn a_store_of_an_earlier_version_gets_indexes_of_its_groups() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = recorder(dir.path());
    for n in 0..32 * 66 {
        first.sink().accept(Box::new(sample_traces::capture(n)));
        if n % 32 == 31 {
            first.flush();
        }
    }
    first.close();
    let groups = || {
        let (mut groups, view) = (Vec::new(), FolderBlocks::open(dir.path()).unwrap().folder_view().unwrap());
        let scanned = view.snapshot.scan(Table::BlockGroups, 0..=u64::MAX, false, |group, record| {
            groups.push((group, record.to_vec()));
            ControlFlow::Continue(())
        });
        scanned.unwrap();
        groups
    };
    let written = groups();
    assert_eq!(written.iter().map(|(group, _)| *group).collect::<Vec<_>>(), [0]);
    let (store, mut batch) = (WriteStore::open(dir.path()).unwrap(), WriteBatch::default());
    batch.remove(Table::BlockGroups, 0..=u64::MAX);
    store.commit(&batch).unwrap();
    store.close().unwrap();
    assert!(groups().is_empty());
    recorder(dir.path()).0.close();
    assert_eq!(groups(), written);
}
