//! A trace as a file of its own, to be sent to somebody: its secrets are hashes, which can be compared and not read.

use zerver_trace::{Answer, Event, Header, Origin, Recorded, RecordedBody, Trace};

use crate::format::{self, FormatError, Kind, MAX_RAW};

/// The bytes of a portable file.
///
/// # Errors
/// When the trace is larger than a file may be.
pub fn write(trace: &Trace) -> Result<Vec<u8>, FormatError> {
    let mut trace = trace.clone();
    each_value(&mut trace, |recorded| {
        if let Recorded::Sealed { hash, masked: shown, .. } = recorded {
            *recorded = Recorded::Hashed { hash: *hash, masked: shown.take() };
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
    let body = format::open_record(Kind::Portable, 0, bytes)?;
    format::decode(&format::as_now(format::schema(bytes), &body))
}

/// Whether some bytes begin as a portable file does.
pub fn is_portable(bytes: &[u8]) -> bool {
    format::begins_as_record(bytes)
}

/// Calls `f` with every value of a trace.
pub(crate) fn each_value(trace: &mut Trace, mut f: impl FnMut(&mut Recorded)) {
    f(&mut trace.target);
    if let Origin::Named(origin) = &mut trace.origin {
        f(origin);
    }
    for Header { value, .. } in trace.request_headers.iter_mut().chain(&mut trace.response_headers) {
        f(value);
    }
    for RecordedBody { bytes, .. } in [&mut trace.request_body, &mut trace.response_body] {
        f(bytes);
    }
    for event in &mut trace.events {
        match event {
            Event::StepYielded { progress: value, .. }
            | Event::SlotWritten { value, .. }
            | Event::EffectRequested { args: value, .. }
            | Event::EffectCompleted { answer: Answer::Ok(value), .. } => f(value),
            Event::BodyReceived { .. }
            | Event::StepRan { .. }
            | Event::EffectCompleted { .. }
            | Event::Reclassified { .. }
            | Event::EffectQueued { .. }
            | Event::EffectStarted { .. }
            | Event::Migrated { .. }
            | Event::QuantumExceeded { .. }
            | Event::CompletionDelayed { .. }
            | Event::ReadDelayed { .. }
            | Event::StepPanicked { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// A file whose checksum is right, with this body.
    fn read_raw(raw: &[u8]) -> Result<Trace, FormatError> {
        read(&format::seal_record(Kind::Portable, 0, raw))
    }

    #[test]
    fn bodies_that_lie_are_errors() {
        let raw = format::encode(sample::trace(1));
        assert_eq!(read_raw(&raw).unwrap(), sample::trace(1));
        assert_eq!(read_raw(&[&raw[..], &[0; 9]].concat()), Err(FormatError::Trailing(9)));
        // Every length in it made huge, one after another.
        for at in 0..raw.len() {
            for bomb in [&[252, 255, 255, 255, 127][..], &[253, 255, 255, 255, 255, 255, 255, 255, 255]] {
                let _ = read_raw(&[&raw[..at], bomb, &raw[at + 1..]].concat());
            }
            let _ = read_raw(&raw[..at]);
        }
    }

    #[test]
    fn a_trace_of_as_many_events_as_are_recorded_is_read() {
        let mut trace = sample::trace(1);
        let Event::SlotWritten { value, .. } = trace.events[1].clone() else { panic!("{trace:?}") };
        let value = || value.clone();
        trace.events = (0..crate::describe::EVENTS as u32)
            .map(|n| match n % 4 {
                0 => Event::SlotWritten { step: 1, slot: 1, at_ns: u64::from(n) << 20, value: value() },
                1 => Event::EffectRequested {
                    call: n,
                    step: 2,
                    at_ns: u64::from(n) << 20,
                    kind: zerver_trace::Name::from("kv"),
                    args: value(),
                    attempt: 1,
                    timeout_ns: Some(1 << 40),
                },
                2 => {
                    Event::EffectCompleted { call: n, at_ns: u64::from(n) << 20, answer: Answer::Ok(value()) }
                }
                _ => Event::StepRan {
                    step: 3,
                    ready_ns: u64::from(n) << 20,
                    at_ns: 1 << 30,
                    cpu_ns: 1 << 30,
                    decision: zerver_trace::Decision::Done,
                },
            })
            .collect();
        assert_eq!(read(&write(&trace).unwrap()).unwrap(), trace);
        let mut open = crate::block::Open::default();
        open.push_trace(&trace).unwrap();
        let records = open.records(1);
        assert_eq!(crate::block::Body::read(1, &records.body).unwrap().trace(0).unwrap(), trace);
    }

    #[test]
    fn nesting_of_a_million_is_an_error() {
        let tokens = vec![14u8; 1_000_000];
        let raw = format::encode((0u32, tokens, None::<String>));
        assert!(format::decode::<Recorded>(&raw).is_err());
        let tokens = vec![2u8; 1000];
        let raw = format::encode((0u32, tokens, None::<String>));
        assert!(format::decode::<Recorded>(&raw).is_err());
    }
}
