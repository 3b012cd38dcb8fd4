//! A client connection: its bytes, its time limits and its requests.

pub(super) mod chunked_framing;
pub(super) mod client_socket;
pub(super) mod connection_state;
pub(super) mod future_pool;
pub(super) mod in_flight_guard;
pub(super) mod malformed_request;
pub(super) mod message_framing;
mod proxy_header;
pub(super) mod serve;
pub(super) mod socket_io;
#[cfg(feature = "websocket")]
mod upgrade;
