//! Measures a reader on a store of a million varied requests.
//!
//! `cargo bench -p zerver-recorder --bench reading`. A number after `--` sets the number of requests; a folder keeps the
//! store, and is used again if it holds one, so that commands can be measured as well.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

mod sample;
mod traffic;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use zerver_recorder::{Reader, Recorder, RecorderOptions};
use zerver_trace::{PlacedValue, Query, TraceSelector, TraceView, ValuePlace};

use traffic::Traffic;

/// Number of requests that are created at a time.
const CHUNK: u64 = 4_000;

fn record(dir: &Path, count: u64, traffic: &Traffic) {
    let options = RecorderOptions { max_age: None, max_bytes: None, ..RecorderOptions::new(dir) };
    let recorder = Recorder::open(options).expect("a new store");
    recorder.declare(traffic.flows());
    let began = Instant::now();
    for from in (0..count).step_by(CHUNK as usize) {
        let requests = traffic.requests(from..count.min(from + CHUNK));
        requests.into_iter().for_each(|capture| recorder.sink().accept(Box::new(capture)));
        recorder.flush();
    }
    let status = recorder.close();
    println!(
        "{} requests in {:.1?}, {} bytes each, {} dropped",
        status.recorded,
        began.elapsed(),
        status.bytes_on_disk / count.max(1),
        status.dropped
    );
}

fn timed<T>(name: &str, f: impl Fn() -> T) {
    let runs = (0..5).map(|_| {
        let began = Instant::now();
        f();
        began.elapsed()
    });
    println!("  {name:<40} {:9.2} ms", runs.min().map_or(0.0, |run| run.as_secs_f64() * 1000.0));
}

fn main() {
    let (mut count, mut dir) = (1_000_000, None);
    for argument in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        match argument.parse() {
            Ok(number) => count = number,
            Err(_) => dir = Some(PathBuf::from(argument)),
        }
    }
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.unwrap_or_else(|| temporary.path().to_owned());
    let traffic = Traffic::new();
    if !dir.join("traces.redb").exists() {
        record(&dir, count, &traffic);
    }
    let reader = Reader::open(&dir).expect("a store");
    let middle = traffic.id(count / 2);
    println!("a request in the middle: {middle}");
    let find = |text: &str| text.parse::<TraceSelector>().expect("a name");
    timed("open", || Reader::open(&dir).expect("a store"));
    timed("find by id", || reader.find(&find(&middle.to_string())).expect("a trace"));
    timed("digits that identify an id", || reader.unique_digits(&[middle]).expect("digits"));
    timed("find @slowest", || reader.find(&find("@slowest")).expect("a trace"));
    let of_flow = |limit| Query { flow: Some("todos-0".to_owned()), limit: Some(limit), ..Query::default() };
    timed("summaries of 500 requests of a flow", || reader.list(&of_flow(500)).expect("a list"));
    timed("traces of 500 requests of a flow", || {
        reader.for_each(&of_flow(500), |_| ControlFlow::Continue(())).expect("traces");
    });
    let test = |name: &str, place: ValuePlace, test: &dyn Fn(PlacedValue<'_>) -> Option<bool>| {
        timed(name, || {
            let mut found = 0;
            let visit = reader.visit(&Query::default(), |request| {
                found += request.test_values(place, 0, test).expect("a trace").passed;
                ControlFlow::Continue(())
            });
            visit.expect("traces");
            assert!(found > 0, "{name}");
        });
    };
    test("a slot of all", ValuePlace::Slot(1), &|placed| {
        let PlacedValue::Value(recorded) = placed else { return None };
        recorded.value()?.root().field("sub").map(|sub| sub.as_str() == Some("user-77"))
    });
    test("a header of all", ValuePlace::RequestHeaders, &|placed| {
        let PlacedValue::Header(header) = placed else { return None };
        let value = (header.name == "user-agent").then(|| header.value.value())??.root();
        Some(value.as_bytes().as_deref() == Some(b"client/7"))
    });
    timed("traces of 100,000", || {
        let query = Query { limit: Some(100_000), ..Query::default() };
        reader.for_each(&query, |_| ControlFlow::Continue(())).expect("traces");
    });
    timed("summaries of all", || reader.list(&Query::default()).expect("a list"));
}
