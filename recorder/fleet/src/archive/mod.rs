//! Old days of a fleet in a database move to a bucket, and readers read both.

pub(crate) mod archive_run;
pub(crate) mod archived_blocks;
mod archived_view;
