//! The status of a gRPC call. Its HTTP status is 200 even if it failed, so the trailers decide about the outcome.

use http::header::CONTENT_TYPE;
use zerver_trace::{FailureInfo, FailureKind};

use crate::messages::{HeaderList, RecordedResponse};

const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";
/// Code of a method that the service does not have.
const UNIMPLEMENTED: u32 = 12;

/// Returns true if the service does not have the method that was called.
pub(crate) fn is_unimplemented(response: &RecordedResponse) -> bool {
    code_of(response) == Some(UNIMPLEMENTED)
}

/// Returns the failure of a gRPC call for which the service is at fault. Other errors, such as `NOT_FOUND`, are answers like an
/// HTTP status of 4xx.
///
/// The codes are those that OpenTelemetry's conventions count as errors of a server, without `UNIMPLEMENTED`: clients that probe
/// for methods cause it.
pub(crate) fn failure_of(response: &RecordedResponse) -> Option<FailureInfo> {
    let (kind, name) = match code_of(response)? {
        2 => (FailureKind::Internal, "UNKNOWN"),
        4 => (FailureKind::Timeout, "DEADLINE_EXCEEDED"),
        13 => (FailureKind::Internal, "INTERNAL"),
        14 => (FailureKind::Unavailable, "UNAVAILABLE"),
        15 => (FailureKind::Internal, "DATA_LOSS"),
        _ => return None,
    };
    let message = text_of(&response.headers, MESSAGE).map(decode).unwrap_or_default();
    Some(FailureInfo {
        kind,
        what: "gRPC call".into(),
        key: name.to_owned(),
        message,
        step: None,
        call: None,
        causes: Vec::new(),
    })
}

fn code_of(response: &RecordedResponse) -> Option<u32> {
    // Every response comes here, and comparing names is cheaper than comparing their texts.
    let (_, media_type) = response.headers.iter().find(|(name, _)| *name == CONTENT_TYPE)?;
    let is_grpc = media_type.as_bytes().starts_with(b"application/grpc");
    // The last one: trailers follow the headers.
    is_grpc.then(|| text_of(&response.headers, STATUS))??.parse().ok()
}

fn text_of<'h>(headers: &'h HeaderList, name: &str) -> Option<&'h str> {
    let (_, value) = headers.iter().rev().find(|(known, _)| known == name)?;
    value.to_str().ok()
}

/// Decodes the percent-encoding of a message. What is not encoded correctly stays as it is, as the protocol demands.
fn decode(message: &str) -> String {
    percent_encoding::percent_decode_str(message).decode_utf8_lossy().into_owned()
}
