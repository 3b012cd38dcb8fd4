//! Closed blocks, as a shipper reads them.

use zerver_recorder::{Reader, Recorder, RecorderOptions, SpoolEnd, SpoolReader};

use crate::options;
use crate::sample_traces::{capture, flow};

fn blocks(reader: &SpoolReader, end: SpoolEnd, from: u64) -> Vec<(u64, u32)> {
    let found = reader.closed_blocks(end, from, 100, usize::MAX).unwrap().unwrap();
    found.iter().map(|block| (block.seq, block.index.bounds().count)).collect()
}

#[test]
fn a_block_is_closed_when_a_shipper_asks_and_never_changes_again() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(options(dir.path())).unwrap();
    let spool = recorder.spool();
    (0..5).for_each(|n| recorder.sink().accept(Box::new(capture(n))));
    recorder.flush();
    let reader = SpoolReader::open(spool.dir()).unwrap();
    let before = spool.end();
    assert_eq!(blocks(&reader, before, 0), [], "the block is being filled");
    assert_eq!(reader.backlog(before, 0).unwrap().unwrap().traces, 5);
    spool.close_block();
    let end = spool.end();
    assert_eq!((before.node, before.closed, end.closed), (end.node, 0, 1));
    assert_eq!(blocks(&reader, end, 0), [(0, 5)]);
    spool.close_block();
    assert_eq!(spool.end(), end, "an empty block is not closed");
    let first = reader.closed_blocks(end, 0, 100, usize::MAX).unwrap().unwrap();
    (5..10).for_each(|n| recorder.sink().accept(Box::new(capture(n))));
    spool.close_block();
    let end = spool.end();
    assert_eq!(blocks(&reader, end, 0), [(0, 5), (1, 5)]);
    assert_eq!(blocks(&reader, end, 1), [(1, 5)]);
    assert_eq!(reader.closed_blocks(end, 0, 1, usize::MAX).unwrap().unwrap(), first);
    assert_eq!(reader.closed_blocks(end, 0, 100, 1).unwrap().unwrap(), first, "at least one");
    let backlog = reader.backlog(end, 1).unwrap().unwrap();
    assert_eq!((backlog.traces, backlog.recorded), (5, 10));
    assert!(backlog.bytes > 0);
    // Everything is closed once the recorder is.
    recorder.sink().accept(Box::new(capture(10)));
    recorder.close();
    assert_eq!(blocks(&reader, spool.end(), 2), [(2, 1)]);
    assert_eq!(Reader::open(dir.path()).unwrap().list(&zerver_trace::Query::default()).unwrap().len(), 11);
}

#[test]
fn a_full_block_is_closed_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(options(dir.path())).unwrap();
    (0..300).for_each(|n| recorder.sink().accept(Box::new(capture(n))));
    recorder.flush();
    let (spool, reader) = (recorder.spool(), SpoolReader::open(dir.path()).unwrap());
    let closed: u32 = blocks(&reader, spool.end(), 0).iter().map(|(_, count)| count).sum();
    assert!(closed >= 100, "{closed}");
}

#[test]
fn a_store_keeps_its_id_and_another_one_in_its_place_has_another() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Recorder::open(options(dir.path())).unwrap();
    let node = |recorder: &Recorder| recorder.spool().end().node.unwrap();
    let first = open();
    let id = node(&first);
    first.close();
    let again = open();
    assert_eq!(node(&again), id);
    again.sink().accept(Box::new(capture(1)));
    again.flush();
    let reader = SpoolReader::open(dir.path()).unwrap();
    std::fs::remove_file(dir.path().join("traces.redb")).unwrap();
    again.sink().accept(Box::new(capture(2)));
    again.flush();
    assert_ne!(node(&again), id, "it was created again");
    assert!(!reader.is_in_place());
    assert_eq!(reader.closed_blocks(again.spool().end(), 0, 100, usize::MAX).unwrap(), None);
    let reader = SpoolReader::open(dir.path()).unwrap();
    again.spool().close_block();
    assert_eq!(blocks(&reader, again.spool().end(), 0).iter().map(|(_, count)| count).sum::<u32>(), 2);
}

#[test]
fn a_build_is_described_by_its_own_records() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(RecorderOptions { build: "b7".to_owned(), ..options(dir.path()) }).unwrap();
    let reader = SpoolReader::open(dir.path()).unwrap();
    recorder.flush();
    assert_eq!(reader.build().unwrap(), None);
    recorder.declare(&[flow()]);
    recorder.flush();
    let build = reader.build().unwrap().unwrap();
    assert_eq!((build.build.as_str(), build.catalog.is_some(), build.declarations), ("b7", true, None));
}
