//! The protocol: frames on a stream, and the arguments of requests.

pub(crate) mod arguments;
pub(crate) mod framing;
