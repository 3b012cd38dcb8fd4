//! The folder of a store, the lock of its writer, and the embedded database in it.
//!
//! No other folder may name redb. Must not know what a record means, except for the few that describe the whole store
//! (`store_meta`).

mod copy_on_write;
#[cfg(test)]
pub(crate) mod disk_faults;
pub(crate) mod read_store;
pub(crate) mod snapshot;
mod storage_file;
pub(crate) mod store_dir;
pub(crate) mod store_error;
pub(crate) mod store_identity;
pub(crate) mod store_meta;
pub(crate) mod table;
pub(crate) mod write_batch;
pub(crate) mod write_store;
pub(crate) mod writer_lock;
