//! Damaged files: a reader returns correct data or an error, and never panics. A repair saves what is readable.

use std::path::{Path, PathBuf};

use zerver_recorder::{Cursor, ReadError, Reader, Recorder, examine, repair};
use zerver_trace::{Query, Summary, Trace, TraceSelector};

use crate::{options, sample_traces};

const TRACES: u64 = 300;

struct Whole {
    bytes: Vec<u8>,
    list: Vec<Summary>,
    traces: Vec<Trace>,
    end: Cursor,
}

fn file(dir: &Path) -> PathBuf {
    dir.join("traces.redb")
}

fn whole() -> Whole {
    let dir = tempfile::tempdir().unwrap();
    // In several sessions, so that the file has a history.
    for n in 0..6 {
        let recorder = Recorder::open(options(dir.path())).unwrap();
        recorder.declare(&[sample_traces::flow()]);
        for n in n * TRACES / 6..(n + 1) * TRACES / 6 {
            recorder.sink().accept(Box::new(sample_traces::capture(n)));
            if n % 20 == 0 {
                recorder.flush();
            }
        }
        recorder.close();
    }
    let reader = Reader::open(dir.path()).unwrap();
    let list = reader.list(&Query::default()).unwrap();
    let traces = list.iter().map(|summary| reader.load(summary.id).unwrap().unwrap()).collect();
    let end = reader.end().unwrap();
    Whole { bytes: std::fs::read(file(dir.path())).unwrap(), list, traces, end }
}

/// Calls every method of a reader. All data must be correct, now or as of an earlier commit.
fn check_reader(dir: &Path, whole: &Whole) -> Result<(), ReadError> {
    let reader = Reader::open(dir)?;
    let mut failed = None;
    match reader.list(&Query::default()) {
        Ok(list) => assert!(whole.list.ends_with(&list), "a wrong list of {}", list.len()),
        Err(error) => failed = Some(error),
    }
    for wanted in whole.traces.iter().step_by(29) {
        match reader.load(wanted.id) {
            Ok(Some(trace)) => assert!(trace == *wanted, "a wrong trace"),
            Ok(None) => {
                assert!(reader.list(&Query::default()).is_ok_and(|list| list.len() < whole.list.len()))
            }
            Err(error) => failed = Some(error),
        }
    }
    if let Ok(trace) = reader.find(&TraceSelector::Slowest(None)) {
        assert!(whole.traces.contains(&trace));
    }
    if let Ok((new, _)) = reader.list_since(Reader::start()) {
        assert!(new.iter().all(|summary| whole.list.contains(summary)));
    }
    let _ = (reader.flows(), reader.end(), reader.list_since(whole.end), reader.counts());
    failed.map_or(Ok(()), Err)
}

/// A random number generator with a fixed sequence, so that a case can be repeated by its number.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((n ^ n >> 31) % limit as u64) as usize
    }
}

/// Damages a file in one of the ways in which disks and people do.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    // Pages that were never written are skipped.
    let pages: Vec<usize> =
        (0..bytes.len() / 4096).filter(|page| bytes[page * 4096..][..4096].iter().any(|&b| b != 0)).collect();
    let page = pages[random.below(pages.len())] * 4096;
    match random.below(5) {
        0 => bytes[page + random.below(4096)] ^= 1 << random.below(8),
        1 => (0..20).for_each(|_| bytes[page + random.below(4096)] ^= 1 << random.below(8)),
        2 => bytes[page..page + 4096].fill(0),
        3 => {
            let other = pages[random.below(pages.len())] * 4096;
            bytes.copy_within(other..other + 4096, page);
        }
        _ => bytes.truncate(random.below(bytes.len())),
    }
}

#[test]
fn a_damaged_store_returns_correct_data_or_an_error() {
    let whole = whole();
    let dir = tempfile::tempdir().unwrap();
    let (mut errors, mut right) = (0, 0);
    for case in 0..1000 {
        let mut bytes = whole.bytes.clone();
        damage(&mut bytes, &mut Random(case));
        std::fs::write(file(dir.path()), &bytes).unwrap();
        match check_reader(dir.path(), &whole) {
            Ok(()) => right += 1,
            Err(_) => errors += 1,
        }
        let _ = examine(dir.path());
    }
    assert!(
        errors > 100 && right > 100,
        "{errors} errors, {right} correct: the damage is too severe or too slight"
    );
}

#[test]
fn readable_traces_of_a_damaged_store_are_listed_and_loaded() {
    let whole = whole();
    let dir = tempfile::tempdir().unwrap();
    let (mut partial, mut loaded) = (0, 0);
    for case in 0..400 {
        let mut bytes = whole.bytes.clone();
        damage(&mut bytes, &mut Random(case * 31 + 5));
        std::fs::write(file(dir.path()), &bytes).unwrap();
        let Ok(reader) = Reader::open(dir.path()) else { continue };
        let (Ok(newest), mut pages, mut damage) = (reader.end(), Vec::new(), None) else { continue };
        let mut next = Some(newest);
        while let Some(cursor) = next {
            let Ok(page) = reader.list_readable_before(cursor, 40) else { break };
            pages.extend(page.summaries);
            (next, damage) = (page.reached, damage.or(page.damage));
        }
        let since = reader.list_readable_since(Reader::start(), usize::MAX);
        // In order, and unchanged.
        let mut rest = whole.list.iter();
        assert!(pages.iter().all(|found| rest.any(|wanted| wanted == found)), "case {case}");
        if let (Some(damage), Ok(since)) = (damage, since) {
            assert!(damage.to_string().contains("zerver doctor --repair"), "case {case}: {damage}");
            let mut newest_first = since.summaries;
            newest_first.reverse();
            assert_eq!(newest_first, pages, "case {case}");
            partial += usize::from(!pages.is_empty());
            let found = pages.iter().find_map(|found| reader.load(found.id).ok().flatten());
            loaded += usize::from(found.is_some_and(|trace| whole.traces.contains(&trace)));
        }
    }
    assert!(partial > 5 && loaded > 5, "{partial} {loaded}");
}

#[test]
fn a_repair_saves_every_readable_trace() {
    let whole = whole();
    let mut saved = 0;
    for case in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = whole.bytes.clone();
        damage(&mut bytes, &mut Random(case * 7919));
        std::fs::write(file(dir.path()), &bytes).unwrap();
        let before = examine(dir.path());
        let Ok(report) = repair(dir.path()) else { continue };
        assert!(report.problem.is_none() && report.damaged.is_empty(), "case {case}: {report:?}");
        let reader = Reader::open(dir.path()).unwrap();
        let list = reader.list(&Query::default()).unwrap();
        assert!(list.iter().all(|summary| whole.list.contains(summary)), "case {case}");
        assert!(
            list.len() as u64 >= before.traces.min(TRACES),
            "case {case}: {} of {}",
            list.len(),
            before.traces
        );
        if let Some(moved_to) = &report.moved_to {
            assert!(std::fs::read(moved_to).unwrap().len() >= bytes.len().min(4096));
            assert_eq!(list.len() as u64, report.salvaged);
            saved += 1;
        }
        // The repaired store can be written to.
        let recorder = Recorder::open(options(dir.path())).unwrap();
        recorder.sink().accept(Box::new(sample_traces::capture(TRACES)));
        assert_eq!(recorder.close().recorded, 1, "case {case}");
    }
    assert!(saved > 10, "{saved}");
}
