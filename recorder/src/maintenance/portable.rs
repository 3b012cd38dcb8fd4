//! Portable files: a single trace to be sent to another person. Its secrets are replaced by hashes, which can be
//! compared but not read.

use std::borrow::Cow;

use zerver_trace::{Origin, Recorded, Redaction, Trace};

use crate::block::trace_values::each_value;
use crate::format::record::MAX_RAW;
use crate::format::record::RecordKind;
use crate::format::{FormatError, Schema, codec, record};

/// Encodes a trace as a portable file.
///
/// # Errors
/// [`FormatError::TooLarge`] if the trace exceeds the limit of a file.
pub fn write(trace: &Trace) -> Result<Vec<u8>, FormatError> {
    let mut trace = trace.clone();
    each_value(&mut trace, |recorded| {
        if let Recorded::Sealed { hash, masked, .. } = recorded {
            *recorded = Recorded::Hashed { hash: *hash, masked: masked.take() };
        }
    });
    let raw = codec::encode(&trace);
    if raw.len() > MAX_RAW {
        return Err(FormatError::TooLarge);
    }
    Ok(record::write(RecordKind::Portable, 0, &raw))
}

/// Decodes a portable file from an untrusted source.
///
/// # Errors
/// If the bytes are not exactly one portable file in a schema that this build reads.
pub fn read(bytes: &[u8]) -> Result<Trace, FormatError> {
    let body = record::read(RecordKind::Portable, 0, bytes)?;
    codec::decode(&upgrade_trace(record::schema_of(bytes), &body))
}

/// Returns true if the bytes begin like a portable file.
pub fn is_portable(bytes: &[u8]) -> bool {
    record::has_magic(bytes)
}

/// Converts an encoded trace to the current schema. The fields that were added since are set to "not recorded".
fn upgrade_trace(schema: Schema, trace: &[u8]) -> Cow<'_, [u8]> {
    if schema >= Schema::new(3, 0) {
        return Cow::Borrowed(trace);
    }
    let mut now = trace.to_vec();
    if schema < Schema::new(2, 0) {
        codec::encode_into(None::<u16>, &mut now);
    }
    codec::encode_into(Origin::<Recorded>::NotRecorded, &mut now);
    codec::encode_into(Redaction::default(), &mut now);
    codec::encode_into(false, &mut now);
    Cow::Owned(now)
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Answer, Event};

    use super::*;
    use crate::sample_traces;

    /// Reads a file with this body and a valid checksum.
    fn read_raw(raw: &[u8]) -> Result<Trace, FormatError> {
        read(&record::write(RecordKind::Portable, 0, raw))
    }

    #[test]
    fn a_body_with_a_false_length_is_an_error() {
        let raw = codec::encode(sample_traces::trace(1));
        assert_eq!(read_raw(&raw).unwrap(), sample_traces::trace(1));
        assert_eq!(read_raw(&[&raw[..], &[0; 9]].concat()), Err(FormatError::Trailing(9)));
        // Each length in turn is replaced by a huge one.
        for at in 0..raw.len() {
            for bomb in [&[252, 255, 255, 255, 127][..], &[253, 255, 255, 255, 255, 255, 255, 255, 255]] {
                let _ = read_raw(&[&raw[..at], bomb, &raw[at + 1..]].concat());
            }
            let _ = read_raw(&raw[..at]);
        }
    }

    #[test]
    fn a_file_of_a_schema_before_3_5_was_recorded_by_the_runtime() {
        let trace = sample_traces::trace(1);
        let raw = codec::encode(&trace);
        let key = codec::encode(zerver_trace::SealedBy(None));
        let raw = raw.strip_suffix(&key[..]).unwrap();
        assert_eq!(read_raw(raw).unwrap(), trace, "3.8");
        let last = codec::encode(zerver_trace::RecordedBy::Runtime);
        assert_eq!(read_raw(raw.strip_suffix(&last[..]).unwrap()).unwrap(), trace);
        for unknown in [[&raw[..raw.len() - last.len()], &[9]].concat(), [raw, &[9]].concat()] {
            assert!(matches!(read_raw(&unknown), Err(FormatError::Malformed(_))));
        }
    }

    #[test]
    fn a_trace_with_the_maximum_number_of_events_is_read() {
        let mut trace = sample_traces::trace(1);
        let Event::SlotWritten { value, .. } = trace.events[1].clone() else { panic!("{trace:?}") };
        let value = || value.clone();
        trace.events = (0..crate::describe::describer::MAX_EVENTS as u32)
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
        let mut builder = crate::block::block_builder::BlockBuilder::default();
        builder.push_trace(&trace).unwrap();
        let records = builder.build_records(1);
        assert_eq!(
            crate::block::block_body::BlockBody::read(1, &records.body).unwrap().trace(0).unwrap(),
            trace
        );
    }

    #[test]
    fn a_million_nested_values_are_an_error() {
        let tokens = vec![14u8; 1_000_000];
        let raw = codec::encode((0u32, tokens, None::<String>));
        assert!(codec::decode::<Recorded>(&raw).is_err());
        let tokens = vec![2u8; 1000];
        let raw = codec::encode((0u32, tokens, None::<String>));
        assert!(codec::decode::<Recorded>(&raw).is_err());
    }
}
