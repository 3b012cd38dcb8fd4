//! Measures the cost of recording: CPU time of the writer and disk space per trace, the time to hand over a trace, and
//! the response times of a large store.
//!
//! `cargo bench -p zerver-recorder`. A number after `--` sets the number of traces in the large store.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

mod sample;

use std::time::Instant;

use zerver_recorder::{Reader, Recorder, RecorderOptions, RecordingPolicy, TailPolicy};
use zerver_trace::{Query, TraceSelector};

use sample::{capture, flow};

/// CPU time of a thread, in nanoseconds.
fn cpu_ns(of: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a Linux kernel").flatten();
    tasks
        .filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == of))
        .filter_map(|task| {
            let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}

fn record(name: &str, count: u64, secret: bool, policy: RecordingPolicy) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let options =
        RecorderOptions { policy, max_age: None, max_bytes: None, ..RecorderOptions::new(dir.path()) };
    let recorder = Recorder::open(options).expect("a new store");
    let (sink, flow) = (recorder.sink(), flow(secret));
    let (mut handing_ns, mut writing_ns) = (0, 0);
    // The number of requests in 50 ms at 80,000 per second.
    for chunk in 0..count / 4_000 {
        let captures: Vec<_> =
            (chunk * 4_000..(chunk + 1) * 4_000).map(|n| capture(n, &flow, secret)).collect();
        let before = cpu_ns("zerver-recorder");
        let began = Instant::now();
        captures.into_iter().for_each(|capture| sink.accept(capture));
        handing_ns += began.elapsed().as_nanos();
        recorder.flush();
        writing_ns += cpu_ns("zerver-recorder") - before;
    }
    let status = recorder.close();
    let stored = Reader::open(dir.path()).expect("a store").counts().expect("counts").recorded;
    println!(
        "{name:<28} writer {:5.2} us/trace   hand-off {:4} ns   {:4} bytes/trace   {:5} traces/commit   kept {stored}, \
         dropped {}",
        writing_ns as f64 / count as f64 / 1000.0,
        handing_ns / u128::from(count),
        status.bytes_on_disk / stored.max(1),
        stored / status.commits.max(1),
        status.dropped,
    );
    dir
}

fn timed<T>(name: &str, f: impl Fn() -> T) {
    let runs: Vec<_> = (0..7)
        .map(|_| {
            let began = Instant::now();
            f();
            began.elapsed()
        })
        .collect();
    println!("  {name:<32} {:8.2} ms", runs.iter().min().map_or(0.0, |run| run.as_secs_f64() * 1000.0));
}

fn main() {
    let large = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(1_000_000);
    record("all, no secrets", 100_000, false, RecordingPolicy::All);
    record("all, bearer token", 100_000, true, RecordingPolicy::All);
    record("tail", 100_000, true, RecordingPolicy::Tail(TailPolicy::default()));
    let dir = record("large", large, false, RecordingPolicy::All);
    timed("open", || Reader::open(dir.path()).expect("a store"));
    let reader = Reader::open(dir.path()).expect("a store");
    let query = |limit| Query { limit, ..Query::default() };
    timed("list, 50 newest", || reader.list(&query(Some(50))).expect("a list"));
    let failed = Query { only_failed: true, ..Query::default() };
    timed("list, failed (none)", || reader.list(&failed).expect("a list"));
    timed("list, all", || reader.list(&query(None)).expect("a list"));
    let middle = capture(large / 2, &flow(false), false).id;
    let find = |text: &str| text.parse::<TraceSelector>().expect("a name");
    timed("find by id", || reader.find(&find(&middle.to_string())).expect("a trace"));
    timed("find @slowest", || reader.find(&find("@slowest")).expect("a trace"));
    timed("find, not there", || reader.find(&find("ffffffff")).expect_err("no trace"));
    drop(reader);
    timed("open for writing", || {
        Recorder::open(RecorderOptions { max_age: None, max_bytes: None, ..RecorderOptions::new(dir.path()) })
            .expect("a store")
            .status()
    });
}
