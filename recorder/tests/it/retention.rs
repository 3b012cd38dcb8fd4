//! A store stays within its limits by removing the oldest traces.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zerver_recorder::{Reader, Recorder, RecorderOptions, StatusEvent, examine};
use zerver_trace::{Body, Capture, MessageInfo, Query, ResponseInfo};

use crate::options;
use crate::sample_traces::{self, FixedMessage};

/// Returns a capture with a body that does not compress.
fn large(n: u64) -> Capture {
    let mut noise = n + 1;
    let bytes: Vec<u8> = (0..2_000)
        .flat_map(|_| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise.to_le_bytes()
        })
        .collect();
    let body = Body { full_len: bytes.len() as u64, bytes };
    let response = MessageInfo::Response(ResponseInfo { status: 200, headers: vec![], body });
    Capture { response: Some(std::sync::Arc::new(FixedMessage(response))), ..sample_traces::capture(n) }
}

#[test]
fn a_store_stays_within_its_size_limit() {
    const MAX: u64 = 8 << 20;
    let dir = tempfile::tempdir().unwrap();
    let limited = RecorderOptions { max_bytes: Some(MAX), queue_len: 100_000, ..options(dir.path()) };
    let recorder = Recorder::open(limited.clone()).unwrap();
    let (sink, count) = (recorder.sink(), 1_500);
    for n in 0..count {
        sink.accept(Box::new(large(n)));
        if n % 50 == 0 {
            recorder.flush();
            let file = std::fs::metadata(dir.path().join("traces.redb")).unwrap();
            assert!(file.len() <= MAX + MAX / 100, "{}", file.len());
            assert!(file.blocks() * 512 <= MAX + MAX / 100, "{}", file.blocks() * 512);
        }
    }
    assert_eq!(recorder.close().recorded, count);
    let reader = Reader::open(dir.path()).unwrap();
    let kept = reader.list(&Query::default()).unwrap();
    // At 16 KB each, most were removed, and the newest remain without a gap.
    assert!((150..count as usize / 2).contains(&kept.len()), "{}", kept.len());
    assert!(kept.iter().zip((0..count).rev()).all(|(summary, n)| summary.id == sample_traces::id(n)));
    assert_eq!(examine(dir.path()).damaged, []);
    // A smaller limit applies from the next start on.
    let recorder = Recorder::open(RecorderOptions { max_bytes: Some(MAX / 2), ..limited }).unwrap();
    recorder.sink().accept(Box::new(sample_traces::capture(count)));
    recorder.close();
    assert!(reader.list(&Query::default()).unwrap().len() < kept.len());
}

#[test]
fn a_limit_that_is_not_a_power_of_two_is_used_fully() {
    let kept = |max: u64| {
        let dir = tempfile::tempdir().unwrap();
        let limited = RecorderOptions { max_bytes: Some(max), queue_len: 100_000, ..options(dir.path()) };
        // In several sessions, because a file that was closed grows from another length.
        for session in 0..9 {
            let recorder = Recorder::open(limited.clone()).unwrap();
            for n in session * 100..(session + 1) * 100 {
                recorder.sink().accept(Box::new(large(n)));
                if n % 50 == 0 {
                    recorder.flush();
                    let file = std::fs::metadata(dir.path().join("traces.redb")).unwrap();
                    assert!(file.len() <= max + max / 100, "{} of {max}", file.len());
                }
            }
            recorder.close();
        }
        assert_eq!(examine(dir.path()).damaged, []);
        Reader::open(dir.path()).unwrap().list(&Query::default()).unwrap().len() as f64
    };
    let (small, middle, large) = (kept(8 << 20), kept(12 << 20), kept(15 << 20));
    assert!((1.3..1.7).contains(&(middle / small)), "{small} {middle}");
    assert!((1.6..2.1).contains(&(large / small)), "{small} {large}");
}

#[test]
fn a_file_shrinks_to_a_lowered_limit() {
    const MAX: u64 = 20 << 20;
    let dir = tempfile::tempdir().unwrap();
    let limited = RecorderOptions { max_bytes: Some(MAX), queue_len: 100_000, ..options(dir.path()) };
    let recorder = Recorder::open(limited.clone()).unwrap();
    for n in 0..1_000 {
        recorder.sink().accept(Box::new(large(n)));
        if n % 50 == 0 {
            recorder.flush();
        }
    }
    recorder.close();
    let len = || std::fs::metadata(dir.path().join("traces.redb")).unwrap().len();
    assert!(len() > 3 * (MAX / 5), "{}", len());
    let (sender, events) = std::sync::mpsc::channel();
    let recorder = Recorder::open(RecorderOptions { max_bytes: Some(MAX / 5), ..limited }).unwrap();
    recorder.observe(move |change| sender.send(change.clone()).unwrap());
    // Compaction happens without traffic.
    let change = events.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(
        matches!(change, StatusEvent::Compacted { from, to } if to <= MAX / 5 && from > to),
        "{change:?}"
    );
    recorder.sink().accept(Box::new(large(1_000)));
    recorder.flush();
    assert!(len() <= MAX / 5 + MAX / 500, "{}", len());
    recorder.close();
    let kept = Reader::open(dir.path()).unwrap().list(&Query::default()).unwrap();
    assert!((60..200).contains(&kept.len()), "{}", kept.len());
    assert!(kept.iter().zip((0..=1_000).rev()).all(|(summary, n)| summary.id == sample_traces::id(n)));
    assert_eq!(examine(dir.path()).damaged, []);
}

#[test]
fn a_wall_clock_that_is_ahead_at_the_start_removes_nothing_and_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let month = 30 * 24 * 3_600_000_000_000;
    let week =
        || RecorderOptions { max_age: Some(Duration::from_secs(7 * 24 * 3_600)), ..options(dir.path()) };
    // The clock is a month ahead of these traces, and later a month behind those that were recorded then.
    for (began, is_ahead) in [(now - month, true), (now + month, false)] {
        let recorder = Recorder::open(week()).unwrap();
        for n in 0..200 {
            let n = n + 1_000 * u64::from(is_ahead);
            recorder.sink().accept(Box::new(Capture { started_unix_ns: began, ..sample_traces::capture(n) }));
        }
        recorder.close();
        let before = Reader::open(dir.path()).unwrap().list(&Query::default()).unwrap();
        let recorder = Recorder::open(week()).unwrap();
        let (sender, events) = std::sync::mpsc::channel();
        recorder.observe(move |change| sender.send(change.clone()).unwrap());
        let change = events.try_recv().unwrap();
        let days = Duration::from_secs(29 * 24 * 3_600);
        assert!(
            matches!(change, StatusEvent::ClockDiffers { by, is_ahead: ahead } if by > days && ahead == is_ahead),
            "{change:?}"
        );
        recorder.sink().accept(Box::new(Capture { started_unix_ns: now, ..sample_traces::capture(5_000) }));
        recorder.close();
        let after = Reader::open(dir.path()).unwrap().list(&Query::default()).unwrap();
        assert!(after.ends_with(&before), "{} of {} are left", after.len(), before.len());
    }
}

#[test]
fn expired_traces_are_removed_while_a_reader_follows() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let hour = RecorderOptions { max_age: Some(Duration::from_secs(3600)), ..options(dir.path()) };
    let began = |n: u64, unix_ns| Box::new(Capture { started_unix_ns: unix_ns, ..sample_traces::capture(n) });
    let recorder = Recorder::open(options(dir.path())).unwrap();
    for n in 0..128 {
        recorder.sink().accept(began(n, now - 7_200_000_000_000));
    }
    recorder.close();
    let reader = Reader::open(dir.path()).unwrap();
    let cursor = reader.end().unwrap();
    let recorder = Recorder::open(hour).unwrap();
    // A wall clock that was set does not stop the reader.
    recorder.sink().accept(began(500, now));
    recorder.sink().accept(began(501, 0));
    recorder.sink().accept(began(502, u64::MAX));
    recorder.close();
    let left: Vec<_> = reader.list(&Query::default()).unwrap().iter().map(|summary| summary.id).collect();
    assert_eq!(left, [sample_traces::id(502), sample_traces::id(501), sample_traces::id(500)]);
    assert_eq!(reader.list_since(cursor).unwrap().0.len(), 3);
    assert_eq!(reader.list_since(Reader::start()).unwrap().0.len(), 3);
}
