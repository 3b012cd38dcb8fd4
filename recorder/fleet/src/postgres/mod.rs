//! A fleet on PostgreSQL: its schema, its blocks as rows, and how services add to them.

pub(crate) mod archived_days;
mod block_columns;
mod block_select;
mod connection;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod postgres_blocks;
pub(crate) mod postgres_destination;
pub(crate) mod postgres_url;
pub(crate) mod postgres_view;
pub(crate) mod status;

/// Version of the schema that this build reads and writes.
pub(crate) const VERSION: i32 = 5;
