//! Settings of the proxies in front of a service.

/// Proxies in front of the service, `[proxy]` in `zerver.toml`. What they say about the address of the client becomes the address of
/// the [request](crate::prelude::Request::peer).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Addresses and ranges of the proxies, such as `10.0.0.0/8`. Default: none, so that nothing is believed. List only addresses from
    /// which no client can connect.
    pub trusted: Vec<String>,
    /// True if they send `Forwarded` (RFC 7239). By default they send `X-Forwarded-For`. Only the header that they send is
    /// read, because a client can send the other one.
    pub forwarded: bool,
    /// True if they announce each connection with a header of the PROXY protocol, version 1 or 2. A connection from a trusted address
    /// must begin with one, and another must not.
    pub protocol: bool,
}
