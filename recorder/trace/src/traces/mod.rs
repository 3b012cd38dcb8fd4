//! Traces: everything that is recorded about one request.

mod origin;
mod recorded;
mod recorded_by;
mod redaction;
mod sealed_by;
mod summary;
mod trace;

pub use origin::Origin;
pub use recorded::{Masked, MissingReason, Recorded, RecordedBody};
pub use recorded_by::RecordedBy;
pub use redaction::{RedactedText, Redaction, TextPlace};
pub use sealed_by::SealedBy;
pub use summary::Summary;
pub use trace::Trace;
