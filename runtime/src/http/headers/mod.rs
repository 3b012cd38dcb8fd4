//! Headers that the server itself reads or writes.

pub(super) mod date_header;
pub(super) mod forwarded;
pub(super) mod header_scan;
pub(super) mod host_header;
pub(super) mod local_client;
pub(super) mod token_check;
pub(super) mod trace_context;
