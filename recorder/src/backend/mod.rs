//! The folder of a store, its lock, and the embedded database in it. Nothing outside this folder names redb.

pub(crate) mod copy_on_write;
#[cfg(test)]
pub(crate) mod disk_faults;
pub(crate) mod storage_file;
pub(crate) mod store;
pub(crate) mod store_dir;
pub(crate) mod store_meta;
pub(crate) mod write_batch;
