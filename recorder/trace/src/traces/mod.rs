//! Traces: everything that is recorded about one request.

mod origin;
mod recorded;
mod redaction;
mod summary;
mod trace;

pub use origin::Origin;
pub use recorded::{Masked, MissingReason, Recorded, RecordedBody};
pub use redaction::{RedactedText, Redaction, TextPlace};
pub use summary::Summary;
pub use trace::Trace;
