//! Fuzz targets for untrusted bytes: portable files, frames of a replay, values, blocks of a store. No target may
//! panic, or take more than [`BEYOND`] bytes in addition to its input. Decoded data is used in the same way as by the
//! commands.

mod memory;

use zerver_analysis::{Timeline, TimelineJson};
use zerver_recorder::{fuzzing, portable as file};
use zerver_replay::wire::{Hello, HostReply, HostRequest, receive};
use zerver_trace::{Trace, Value};

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

/// Uses a trace as the commands do.
fn used(trace: &Trace) {
    let timeline = Timeline::of(trace);
    let text = serde_json::to_string(&TimelineJson::new(trace, &timeline, None));
    assert!(text.is_ok(), "{text:?}");
}
