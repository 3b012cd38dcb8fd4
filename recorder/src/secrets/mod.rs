//! Secrets in recorded traces: their copies are found and masked, and their values sealed under the key of the store.

pub(crate) mod sealer;
pub(crate) mod secret_key;
pub(crate) mod trace_secrets;
