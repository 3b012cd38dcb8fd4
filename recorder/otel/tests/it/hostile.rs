//! Bytes from untrusted sources: never a panic, and bounded memory.

use proptest::prelude::*;
use zerver_otel::{ExportOptions, decode_json, encode_json, protobuf, spans_of};

use crate::samples;

fn encoded() -> Vec<u8> {
    protobuf::encode(&spans_of(
        [&samples::calls()],
        &ExportOptions { with_values: true, ..Default::default() },
    ))
}

#[test]
fn a_message_that_is_cut_off_is_an_error_or_shorter() {
    let bytes = encoded();
    let whole = protobuf::decode(&bytes).unwrap();
    for len in 0..bytes.len() {
        match protobuf::decode(&bytes[..len]) {
            Ok(spans) => assert!(spans.span_count() < whole.span_count() || len == 0),
            Err(error) => assert_eq!(error, protobuf::ProtobufError::Malformed),
        }
    }
}

#[test]
fn deep_and_numerous_messages_are_errors() {
    let wrap = |field: u8, inner: &[u8]| {
        let mut out = vec![field << 3 | 2];
        let mut len = inner.len();
        while len >= 0x80 {
            out.push(len as u8 | 0x80);
            len >>= 7;
        }
        out.push(len as u8);
        out.extend_from_slice(inner);
        out
    };
    // A list in a list, and so on, as the value of an attribute of a resource.
    let deep = (0..100).fold(Vec::new(), |inner, _| wrap(5, &wrap(1, &inner)));
    let document = wrap(1, &wrap(1, &wrap(1, &wrap(2, &deep))));
    assert_eq!(protobuf::decode(&document), Err(protobuf::ProtobufError::TooDeep));
    // Empty spans, attributes of a resource, and values of a list: two bytes each.
    let spans = wrap(1, &wrap(2, &[0x12, 0].repeat(1_000_000)));
    let attributes = wrap(1, &wrap(1, &[0x0a, 0].repeat(1_000_000)));
    let list = wrap(5, &[0x0a, 0].repeat(1_000_000));
    let values = wrap(1, &wrap(1, &wrap(1, &wrap(2, &list))));
    for document in [spans, attributes, values] {
        let refused = protobuf::decode(&document).unwrap_err().to_string();
        assert_eq!(refused, "its spans would take more memory than 4 MiB and 6 times its size");
    }
}

proptest! {
    #[test]
    fn damaged_messages_never_panic(at in 0usize..4_000, byte: u8, len in 0usize..4_000) {
        let mut bytes = encoded();
        let end = len.min(bytes.len());
        bytes.truncate(bytes.len() - end / 2);
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = protobuf::decode(&bytes);
    }

    #[test]
    fn damaged_documents_never_panic(at in 0usize..20_000, byte: u8) {
        let mut text = encode_json(&spans_of([&samples::calls()], &ExportOptions::default())).to_string().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let _ = decode_json(&text);
    }
}
