//! Portable files and imports: a trace comes out unchanged, and anything else is an error.

use proptest::prelude::*;
use zerver_recorder::{FormatError, Reader, import, portable};
use zerver_trace::{Query, Recorded};

use crate::sample_traces;

#[test]
fn a_trace_survives_export_and_import() {
    let trace = sample_traces::trace(7);
    let bytes = portable::write(&trace).unwrap();
    assert!(portable::is_portable(&bytes));
    assert_eq!(portable::read(&bytes).unwrap(), trace);
    assert!(matches!(portable::read(b"{\"json\": true}"), Err(FormatError::Foreign)));
    assert!(portable::read(&bytes[..bytes.len() - 1]).is_err());
    assert!(matches!(portable::read(&[&bytes[..], b"x"].concat()), Err(FormatError::Trailing(1))));
}

#[test]
fn sealed_values_are_exported_as_hashes() {
    let mut trace = sample_traces::trace(1);
    trace.target = Recorded::Sealed { hash: [7; 16], sealed: b"cipher text".to_vec(), masked: None };
    let bytes = portable::write(&trace).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"cipher text"));
    let read = portable::read(&bytes).unwrap();
    assert_eq!(read.target, Recorded::Hashed { hash: [7; 16], masked: None });
    assert_eq!(portable::write(&read).unwrap(), bytes, "the export is deterministic");
}

#[test]
fn importing_a_trace_twice_adds_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let traces: Vec<_> = (0..300).map(sample_traces::trace).collect();
    assert_eq!(import(dir.path(), traces[..200].to_vec()).unwrap(), 200);
    assert_eq!(import(dir.path(), traces.clone()).unwrap(), 100);
    assert_eq!(import(dir.path(), traces.clone()).unwrap(), 0);
    assert_eq!(import(dir.path(), [&traces[..1], &traces[..1]].concat()).unwrap(), 0);
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.list(&Query::default()).unwrap().len(), 300);
    // Traces are stored in the order of their recording, whatever the order of their files.
    let other = tempfile::tempdir().unwrap();
    import(other.path(), [&traces[7..9], &traces[..7]].concat()).unwrap();
    let list = Reader::open(other.path()).unwrap().list(&Query::default()).unwrap();
    assert!(list.iter().map(|summary| summary.id).eq(traces[..9].iter().rev().map(|trace| trace.id)));
    for trace in &traces {
        assert_eq!(reader.load(trace.id).unwrap().as_ref(), Some(trace));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_trace_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(portable::read(&bytes).is_err());
    }

    #[test]
    fn a_changed_file_is_an_error(n in 0u64..100, at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = portable::write(&sample_traces::trace(n)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(portable::read(&bytes).is_err());
    }
}
