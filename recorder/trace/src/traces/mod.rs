//! Traces: everything that is recorded about one request.

mod redaction;
mod trace;

pub use redaction::{RedactedText, Redaction, TextPlace};
pub use trace::{Kept, Masked, MissingReason, Origin, Outcome, Recorded, RecordedBody, Summary, Trace};
