//! HTTP: connections, access, routes, and the headers of every response. It renders nothing by itself.

mod access;
mod body;
mod listener;
mod live_events;
mod request_body;
mod response;
mod router;

pub use listener::{WebOptions, WebServer};
