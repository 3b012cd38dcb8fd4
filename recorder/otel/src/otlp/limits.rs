//! Limits of what is decoded from untrusted sources.

/// Maximum number of spans, events, attributes and values in one file.
pub(crate) const MAX_PARTS: usize = 4_000_000;
/// Maximum depth to which the values of attributes contain others.
pub(crate) const MAX_DEPTH: usize = 32;
