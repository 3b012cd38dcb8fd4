//! Settings of compression between the service and its clients.

/// Choice of the messages that are compressed, `[compression]` in `zerver.toml`. Needs the Cargo feature `compression`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compression {
    /// Compress responses for clients that accept it. Off by default: with compression, the length of a response that contains a
    /// secret beside text from the request tells something about the secret (the attack BREACH).
    /// [`FlowDef::uncompressed`](crate::prelude::FlowDef::uncompressed) excludes a flow.
    pub responses: bool,
    /// Decompress the bodies of requests that have a `Content-Encoding`. Off by default: steps get them as they arrived.
    pub requests: bool,
    /// Length in bytes from which a response is compressed. 1024 by default. Streams are compressed whatever their length.
    pub min_bytes: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Self { responses: false, requests: false, min_bytes: 1024 }
    }
}
