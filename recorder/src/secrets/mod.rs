//! Secrets of recorded traces: finding their copies, masking them, and sealing them under the key of the store.

pub(crate) mod sealer;
pub(crate) mod trace_secrets;
