//! Secrets in recorded traces: their copies are found and masked, and their values sealed under the key of the store, or under
//! a data key of the process.

pub(crate) mod data_key;
pub(crate) mod data_key_record;
pub(crate) mod seal_error;
pub(crate) mod sealer;
pub(crate) mod secret_key;
pub(crate) mod store_key;
pub(crate) mod trace_secrets;
pub(crate) mod writer_keys;
