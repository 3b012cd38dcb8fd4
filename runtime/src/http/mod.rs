//! The HTTP shell: from a socket to a request, and from a response back.
//!
//! hyper speaks HTTP; here are the limits, in size and in time, and the checks that it leaves out. Nothing here knows
//! what a step is.

mod body;
mod chunks;
mod conn;
mod date;
mod frames;
mod framing;
mod headers;
mod here;
mod host;
mod io;
mod malformed;
mod metrics;
mod param;
mod payload;
mod reject;
mod request;
mod router;
mod serve;
mod traceparent;

pub(crate) use conn::Conn;
pub(crate) use date::Date;
pub(crate) use frames::AnyFrames;
pub(crate) use here::is_from_here;
pub(crate) use router::{Found, Router};
pub(crate) use serve::serve;
pub(crate) use traceparent::TraceContext;
