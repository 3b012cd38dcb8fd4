//! The HTTP shell: from a socket to a request, and from a response back.
//!
//! hyper speaks HTTP; here are the limits, in size and in time, and the checks that it leaves out. Nothing here knows
//! what a step is.

mod connection;
mod date_header;
mod header_scan;
mod host_header;
mod local_client;
mod metrics_endpoint;
mod path_param;
mod rejection;
mod request_handler;
mod response_body;
mod router;
mod token_check;
mod trace_context;

pub(crate) use connection::connection_state::Connection;
pub(crate) use connection::future_pool::AnyFuturePool;
pub(crate) use connection::serve::serve;
pub(crate) use date_header::DateCache;
pub(crate) use local_client::is_local_client;
pub(crate) use router::{RouteMatch, Router};
pub(crate) use token_check::tokens_match;
pub(crate) use trace_context::TraceContext;
