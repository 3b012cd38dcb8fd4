//! A trace as a file of its own, to be sent to somebody: its secrets are hashes, which can be compared and not read.

use zerver_trace::{Answer, Event, Header, Recorded, RecordedBody, Trace};

use crate::format::{self, FormatError, Kind, MAX_RAW};

/// The bytes of a portable file.
///
/// # Errors
/// When the trace is larger than a file may be.
pub fn write(trace: &Trace) -> Result<Vec<u8>, FormatError> {
    let mut trace = trace.clone();
    each_value(&mut trace, |recorded| {
        if let Recorded::Sealed { hash, shown, .. } = recorded {
            *recorded = Recorded::Hashed { hash: *hash, shown: shown.take() };
        }
    });
    let raw = format::encode(&trace);
    if raw.len() > MAX_RAW {
        return Err(FormatError::TooLarge);
    }
    Ok(format::seal_record(Kind::Portable, 0, &raw))
}

/// The trace in a portable file, which may come from anywhere.
///
/// # Errors
/// When the bytes are not one whole portable file of a schema that this build reads.
pub fn read(bytes: &[u8]) -> Result<Trace, FormatError> {
    format::decode(&format::open_record(Kind::Portable, 0, bytes)?)
}

/// Whether some bytes begin as a portable file does.
pub fn is_portable(bytes: &[u8]) -> bool {
    format::begins_as_record(bytes)
}

fn each_value(trace: &mut Trace, mut f: impl FnMut(&mut Recorded)) {
    f(&mut trace.target);
    for Header { value, .. } in trace.request_headers.iter_mut().chain(&mut trace.response_headers) {
        f(value);
    }
    for RecordedBody { bytes, .. } in [&mut trace.request_body, &mut trace.response_body] {
        f(bytes);
    }
    for event in &mut trace.events {
        match event {
            Event::Yielded { progress: value, .. }
            | Event::Wrote { value, .. }
            | Event::Asked { args: value, .. }
            | Event::Answered { answer: Answer::Ok(value), .. } => f(value),
            Event::Received { .. } | Event::Ran { .. } | Event::Answered { .. } => {}
        }
    }
}
