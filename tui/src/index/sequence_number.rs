//! Numbers of requests within the index.

/// Number of a request in the index. Requests from before the start count down from -1, new ones up from 0.
pub(crate) type Seq = i32;
