//! A writer that is killed or runs out of memory: everything it acknowledged is readable, and the store opens again.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, setrlimit};
use zerver_recorder::{ReadError, Reader, Recorder, examine, repair};
use zerver_trace::Query;

use crate::{options, sample_traces};

const DIR: &str = "ZERVER_TEST_CRASH_DIR";
const FROM: &str = "ZERVER_TEST_CRASH_FROM";
/// Bytes of address space that the process may use in addition to what it has.
const MEMORY: &str = "ZERVER_TEST_CRASH_MEMORY";

/// Not a test but the process that is killed. It prints the number up to which captures were acknowledged. With a
/// memory limit, it allocates until an allocation fails, on whichever thread.
#[test]
fn killed_child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let from: u64 = std::env::var(FROM).unwrap().parse().unwrap();
    let recorder = Recorder::open(options(Path::new(&dir))).unwrap();
    let sink = recorder.sink();
    let mut kept: Vec<Box<[u8]>> = Vec::new();
    for n in from.. {
        sink.accept(Box::new(sample_traces::capture(n)));
        if let Ok(more) = std::env::var(MEMORY) {
            if n == from + 40 {
                let limit = Some(address_space() + more.parse::<u64>().unwrap());
                setrlimit(Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
            }
            kept.push(vec![1; 8_000].into_boxed_slice());
        }
        if n % 37 == 0 {
            let status = recorder.flush();
            assert_eq!((status.dropped, status.paused), (0, None));
            #[expect(clippy::print_stdout, reason = "read by the parent")]
            {
                println!("acknowledged {n}");
            }
        }
    }
}

/// Size of the address space of this process, in bytes.
fn address_space() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
}

fn command(dir: &Path, from: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "crash::killed_child", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn child(dir: &Path, from: u64) -> Child {
    command(dir, from).spawn().unwrap()
}

/// Numbers that the child acknowledges until it ends.
fn acknowledged(child: &mut Child) -> impl Iterator<Item = u64> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.filter_map(|line| line.rsplit_once("acknowledged ")?.1.trim().parse::<u64>().ok())
}

/// Kills the child after this many acknowledgements, and returns the last acknowledged number.
fn kill_after(mut child: Child, acknowledgements: usize) -> u64 {
    let mut numbers = acknowledged(&mut child);
    let mut last = numbers.by_ref().take(acknowledgements).last();
    child.kill().unwrap();
    child.wait().unwrap();
    // Includes those written just before the end.
    last = numbers.last().or(last);
    last.expect("the child acknowledged something")
}

/// Checks that everything acknowledged is there. Returns the number of traces.
fn check(dir: &Path, acknowledged: u64) -> u64 {
    let reader = match Reader::open(dir) {
        Err(ReadError::NeedsRepair { .. }) => {
            assert!(examine(dir).repairable);
            let report = repair(dir).unwrap();
            assert_eq!((report.problem, report.damaged, report.moved_to), (None, vec![], None));
            Reader::open(dir).unwrap()
        }
        other => other.unwrap(),
    };
    let all = reader.list(&Query::default()).unwrap();
    // Complete, in order and without duplicates. There may be further traces that were not acknowledged.
    assert!(all.len() as u64 > acknowledged, "{} of {acknowledged}", all.len());
    assert!(all.iter().rev().enumerate().all(|(n, summary)| summary.id == sample_traces::id(n as u64)));
    assert!(reader.load(sample_traces::id(acknowledged)).unwrap().is_some());
    all.len() as u64
}

#[test]
fn acknowledged_traces_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut from = 0;
    for round in 0..8 {
        let acknowledged = kill_after(child(dir.path(), from), 1 + round * 3);
        from = check(dir.path(), acknowledged);
    }
}

#[test]
fn acknowledged_traces_survive_a_failed_allocation() {
    let dir = tempfile::tempdir().unwrap();
    let mut from = 0;
    for round in 0..6u64 {
        let mut child = command(dir.path(), from)
            .env(MEMORY, (round << 20).to_string())
            // All threads allocate from the same arena.
            .env("MALLOC_ARENA_MAX", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let last = acknowledged(&mut child).last().expect("the child acknowledged something");
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        // A failed allocation ends the process, whichever thread it happens on.
        assert_eq!(child.wait().unwrap().signal(), Some(rustix::process::Signal::ABORT.as_raw()), "{said}");
        assert!(said.contains("memory allocation of "), "{said}");
        from = check(dir.path(), last);
    }
}

#[test]
fn the_next_writer_opens_the_store_without_a_repair() {
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = kill_after(child(dir.path(), 0), 5);
    let recorder = Recorder::open(options(dir.path())).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert!(reader.load(sample_traces::id(acknowledged)).unwrap().is_some());
    recorder.close();
}

/// Restarts the service repeatedly, as happens in development after each change.
#[test]
fn a_reader_follows_from_one_writer_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(options(dir.path())).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let mut cursor = reader.end().unwrap();
    recorder.close();
    let (mut seen, mut from) = (0, 0);
    for _ in 0..3 {
        let acknowledged = kill_after(child(dir.path(), from), 4);
        // The next writer recovers the store when it opens it.
        Recorder::open(options(dir.path())).unwrap().close();
        let (new, reached) = reader.list_since(cursor).unwrap();
        (seen, cursor) = (seen + new.len() as u64, reached);
        assert!(seen > acknowledged, "{seen} of {acknowledged}");
        assert_eq!(new.last().unwrap().id, sample_traces::id(seen - 1));
        from = seen;
    }
}
