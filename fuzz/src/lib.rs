//! Fuzz targets for untrusted bytes: portable files, frames of a replay, values, blocks of a store, objects in a bucket,
//! queries, spans, messages of a debugger. No target may panic, or take more than [`BEYOND`] bytes in addition to its
//! input. Decoded data is used in the same way as by the commands.

mod memory;

use std::sync::OnceLock;

use zerver_analysis::{QueryClock, RequestQuery, Timeline, TimelineJson};
use zerver_dap::{Recordings, SourceText};
use zerver_otel::{
    ExportOptions, chrome_trace, decode_spans, folded_stacks, har, protobuf, spans_of, traces_of,
};
use zerver_recorder::{fuzzing, portable as file};
use zerver_replay::wire::{Hello, HostReply, HostRequest, receive};
use zerver_trace::{Query, Trace, Value};

pub use memory::{BEYOND, Counting};

/// Reads a portable file.
pub fn portable(bytes: &[u8]) {
    if let Ok(trace) = memory::bounded(bytes, || file::read(bytes)) {
        used(&trace);
        // Sealed values, which no file of zerver has, become hashes. After that, writing and reading changes nothing.
        let write = |trace: &Trace| file::write(trace).expect("what was read can be written");
        let again = file::read(&write(&trace)).expect("what was written can be read");
        assert_eq!(file::read(&write(&again)).as_ref(), Ok(&again));
    }
}

/// Reads the body of a portable file, with a valid checksum.
pub fn body(bytes: &[u8]) {
    portable(&fuzzing::portable(bytes));
}

/// Reads a sequence of frames of a replay.
pub fn frame(bytes: &[u8]) {
    fn all<T>(bytes: &[u8], mut next: impl FnMut(&mut &[u8]) -> std::io::Result<Option<T>>) {
        let mut rest = bytes;
        while let Ok(Some(_)) = memory::bounded(bytes, || next(&mut rest)) {}
    }
    all(bytes, |rest| receive::<Hello>(rest));
    all(bytes, |rest| receive::<HostRequest>(rest));
    all(bytes, |rest| receive::<HostReply>(rest));
}

/// Reads the tokens of a value.
pub fn value(bytes: &[u8]) {
    let Ok(value) = memory::bounded(bytes, || Value::from_tokens(bytes.to_vec())) else { return };
    let text = value.to_string();
    let _ = zerver_trace::text::clean(&text);
    // Converts it to JSON, to itself, and to another type.
    let _ = value.to_typed::<serde_json::Value>();
    let _ = value.to_typed::<Vec<(String, Option<u64>)>>();
    assert_eq!(value.to_typed::<Value>().as_ref(), Ok(&value));
    assert_eq!(Value::from_tokens(value.tokens().to_vec()).as_ref(), Ok(&value));
}

/// Reads the body of a record of a store, with a valid checksum.
pub fn block(bytes: &[u8]) {
    let records = fuzzing::records(bytes);
    let traces = memory::bounded(bytes, || fuzzing::first_trace(&records));
    if let Some(trace) = traces {
        used(&trace);
    }
    memory::bounded(bytes, || fuzzing::read_rest(&records));
}

/// Reads an object of a fleet in a bucket, with a valid checksum.
pub fn object(bytes: &[u8]) {
    memory::bounded(bytes, || zerver_fleet::fuzzing::object(bytes));
}

/// A request that queries are asked of.
static EXAMPLE: OnceLock<Trace> = OnceLock::new();
const EXAMPLE_FILE: &[u8] = include_bytes!("../../fixtures/stories/retry.zrv");

/// Parses a query, and asks it of a request.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let clock = QueryClock::utc(1_795_996_800_000_000_000);
    match memory::bounded(bytes, || RequestQuery::parse(&text, &clock)) {
        Ok(query) => {
            let trace = EXAMPLE.get_or_init(|| file::read(EXAMPLE_FILE).expect("a fixture"));
            let is_match = query.matches(trace);
            // What a summary decides is what the trace decides.
            let by_summary = query.matches_summary(&trace.summary());
            assert!(by_summary.is_none_or(|decided| decided == is_match), "{text:?}");
            let asked = query.narrowed(&Query::default());
            assert!(!is_match || asked.matches(&trace.summary()), "{text:?}");
        }
        // The place of an error is a part of the text.
        Err(error) => assert!(text.get(error.range()).is_some(), "{text:?}: {error}"),
    }
}

/// Reads a file with spans, and shows and exports the traces that they become.
pub fn spans(bytes: &[u8]) {
    let Ok(spans) = memory::bounded(bytes, || decode_spans(bytes)) else { return };
    let mut each = memory::bounded(bytes, || traces_of(&spans));
    let traces: Vec<_> = std::iter::from_fn(|| memory::bounded(bytes, || each.next())).collect();
    // Importing twice gives the same.
    assert!(traces_of(&spans).eq(traces.iter().cloned()));
    traces.iter().for_each(used);
    let exported = spans_of(&traces, &ExportOptions { with_values: true, ..ExportOptions::default() });
    let binary = protobuf::decode(&protobuf::encode(&exported)).expect("what was written can be read");
    assert_eq!(binary.span_count(), exported.span_count());
    let _ = (chrome_trace(&traces), har(&traces), folded_stacks(&traces));
}

/// The request that a debugger shows.
struct Example;

impl Recordings for Example {
    fn load(&self, _: &str, _: Option<&str>) -> Result<Trace, String> {
        Ok(EXAMPLE.get_or_init(|| file::read(EXAMPLE_FILE).expect("a fixture")).clone())
    }

    fn source(&self, file: &str) -> Option<SourceText> {
        Some(SourceText { path: file.into(), text: "fn load() {\n}\n".to_owned() })
    }
}

/// Answers the messages of a debugger's client.
pub fn debugger(bytes: &[u8]) {
    // An error is a frame without an end.
    let _ = memory::bounded(bytes, || zerver_dap::serve(bytes, std::io::sink(), &Example));
}

/// Uses a trace as the commands do.
fn used(trace: &Trace) {
    let timeline = Timeline::of(trace);
    let text = serde_json::to_string(&TimelineJson::new(trace, &timeline, None));
    assert!(text.is_ok(), "{text:?}");
}
