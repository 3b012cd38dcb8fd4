//! The keys of a fleet: pairs of which services know the public half, and what is wrapped for them.

pub(crate) mod fleet_keys;
mod hex;
pub(crate) mod key_file;
pub(crate) mod key_ring;
pub(crate) mod key_status;
pub(crate) mod pair;
mod unwrap_command;
pub(crate) mod wrapped_key;
