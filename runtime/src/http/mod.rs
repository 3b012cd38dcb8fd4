//! The HTTP shell: from a socket to a request, and from a response back.
//!
//! hyper implements the protocol. This module adds the size limits, the time limits and the checks that hyper leaves
//! out. Nothing here depends on steps.

mod body_pump;
mod body_reader;
mod browser;
mod compression;
mod connection;
mod endpoints;
mod fallback_request;
mod headers;
mod outgoing_response;
mod rejection;
mod request_check;
mod request_handler;
mod request_source;
mod response_body;
mod routing;

pub(crate) use body_reader::read_within as read_body;
pub(crate) use browser::BrowserRules;
pub(crate) use compression::{Coding, Encoder, begin_stream};
#[cfg(feature = "websocket")]
pub(crate) use connection::client_socket::ClientSocket;
pub(crate) use connection::connection_state::Connection;
pub(crate) use connection::future_pool::AnyFuturePool;
pub(crate) use connection::serve::{initialize_date, serve};
pub(crate) use headers::date_header::DateCache;
pub(crate) use headers::forwarded::TrustedProxies;
pub(crate) use headers::local_client::is_local_client;
pub(crate) use headers::token_check::tokens_match;
#[cfg(feature = "replay")]
pub(crate) use headers::trace_context::{TraceContext, baggage};
pub(crate) use outgoing_response::finish_head;
pub(crate) use rejection::Rejection;
pub(crate) use request_handler::{handle, observe, panicked, receive};
pub(crate) use request_source::RequestSource;
pub(crate) use routing::{Matched, RouteMatch, Router, UrlSecretCheck};
