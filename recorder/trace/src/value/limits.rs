//! Limits on values.

/// Maximum nesting of a value.
pub const MAX_DEPTH: usize = 96;

/// Maximum length of a value's tokens, in bytes.
pub const MAX_LEN: usize = 256 * 1024;
