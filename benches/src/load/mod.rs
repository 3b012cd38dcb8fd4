//! Clients: their requests, a plain connection, HTTP/2, closed loops and an open loop.

pub(crate) mod closed_loop;
pub(crate) mod connection;
pub(crate) mod http2;
pub(crate) mod open_loop;
pub(crate) mod traffic;
