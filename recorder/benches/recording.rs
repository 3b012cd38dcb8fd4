//! Measures the cost of recording: CPU time of the writer and disk space per trace, the time to hand over a trace, and
//! the response times of a large store.
//!
//! `cargo bench -p zerver-recorder`. A number after `--` sets the number of traces in the large store, which is left
//! out if it is 0, and a second one that of the others. A text selects rows.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

mod sample;
mod traffic;

use std::time::Instant;

use zerver_recorder::{Reader, Recorder, RecorderOptions, RecordingPolicy, TailPolicy};
use zerver_trace::{Capture, Query, TraceSelector};

use sample::{capture, flow};
use traffic::Traffic;

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

/// Records `count` requests. `requests` makes those with the given numbers.
fn record(
    name: &str,
    count: u64,
    policy: RecordingPolicy,
    requests: impl Fn(std::ops::Range<u64>) -> Vec<Box<Capture>>,
) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let options =
        RecorderOptions { policy, max_age: None, max_bytes: None, ..RecorderOptions::new(dir.path()) };
    let recorder = Recorder::open(options).expect("a new store");
    let sink = recorder.sink();
    let (mut handing_ns, mut writing_ns) = (0, 0);
    // The number of requests in 50 ms at 80,000 per second.
    for chunk in 0..count / 4_000 {
        let captures = requests(chunk * 4_000..(chunk + 1) * 4_000);
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
    let mut numbers = std::env::args().filter_map(|arg| arg.parse().ok());
    let (large, count) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(100_000));
    let only = std::env::args().skip(1).find(|arg| arg.parse::<u64>().is_err() && !arg.starts_with('-'));
    let is_wanted = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    let record = |name: &str, count, policy, requests: &dyn Fn(std::ops::Range<u64>) -> Vec<Box<Capture>>| {
        is_wanted(name).then(|| record(name, count, policy, requests))
    };
    let varied = |name, traffic: Traffic| {
        record(name, count, RecordingPolicy::All, &|numbers| {
            traffic.requests(numbers).into_iter().map(Box::new).collect()
        });
    };
    varied("all, sessions", Traffic::new());
    varied("all, unique", Traffic::new().with_unique_cookies());
    let same = |secret| {
        let flow = flow(secret);
        move |numbers: std::ops::Range<u64>| numbers.map(|n| capture(n, &flow, secret)).collect()
    };
    record("all, no secrets", count, RecordingPolicy::All, &same(false));
    record("all, bearer token", count, RecordingPolicy::All, &same(true));
    record("tail", count, RecordingPolicy::Tail(TailPolicy::default()), &same(true));
    if large == 0 {
        return;
    }
    let Some(dir) = record("large", large, RecordingPolicy::All, &same(false)) else { return };
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
