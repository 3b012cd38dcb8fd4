//! What is done with bytes that come from anywhere: portable files, frames of a replay, values, blocks of a store. None
//! may panic, or take more than [`BEYOND`] bytes beyond its input, whatever they say. What is read is used as the
//! commands use it.

mod memory;

use zerver_recorder::{fuzzing, portable as file};
use zerver_replay::wire::{HostRequest, Hello, HostReply, receive};
use zerver_analysis::{Timeline, TimelineJson};
use zerver_trace::{Trace, Value};

pub use memory::{BEYOND, Counting};

/// A portable file.
pub fn portable(bytes: &[u8]) {
    if let Ok(trace) = memory::bounded(bytes, || file::read(bytes)) {
        used(&trace);
        // Sealed values, which no file of ours has, become hashes; from then on it stays the same.
        let write = |trace: &Trace| file::write(trace).expect("what was read can be written");
        let again = file::read(&write(&trace)).expect("what was written can be read");
        assert_eq!(file::read(&write(&again)).as_ref(), Ok(&again));
    }
}

/// The inside of a portable file, behind a checksum that is right.
pub fn body(bytes: &[u8]) {
    portable(&fuzzing::portable(bytes));
}

/// Frames of a replay, one after another.
pub fn frame(bytes: &[u8]) {
    fn all<T>(bytes: &[u8], mut next: impl FnMut(&mut &[u8]) -> std::io::Result<Option<T>>) {
        let mut rest = bytes;
        while let Ok(Some(_)) = memory::bounded(bytes, || next(&mut rest)) {}
    }
    all(bytes, |rest| receive::<Hello>(rest));
    all(bytes, |rest| receive::<HostRequest>(rest));
    all(bytes, |rest| receive::<HostReply>(rest));
}

/// The tokens of a value.
pub fn value(bytes: &[u8]) {
    let Ok(value) = memory::bounded(bytes, || Value::from_tokens(bytes.to_vec())) else { return };
    let text = value.to_string();
    let _ = zerver_trace::text::clean(&text);
    // Whatever its shape is: as JSON, as itself, as something else.
    let _ = value.get::<serde_json::Value>();
    let _ = value.get::<Vec<(String, Option<u64>)>>();
    assert_eq!(value.get::<Value>().as_ref(), Ok(&value));
    assert_eq!(Value::from_tokens(value.tokens().to_vec()).as_ref(), Ok(&value));
}

/// The inside of a record of a store, behind a checksum that is right.
pub fn block(bytes: &[u8]) {
    let records = fuzzing::records(bytes);
    let traces = memory::bounded(bytes, || fuzzing::first_trace(&records));
    if let Some(trace) = traces {
        used(&trace);
    }
    memory::bounded(bytes, || fuzzing::read_rest(&records));
}

/// What the commands do with a trace.
fn used(trace: &Trace) {
    let timeline = Timeline::of(trace);
    let told = serde_json::to_string(&TimelineJson::new(trace, &timeline, None));
    assert!(told.is_ok(), "{told:?}");
}
