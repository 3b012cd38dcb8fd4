//! HTTP requests to other services, and [`Client`], which performs them.
//!
//! ```
//! use zerver::effects::http;
//! use zerver::prelude::*;
//!
//! #[derive(Slot, Serialize, Deserialize)]
//! struct Claims { sub: String }
//!
//! fn verify(token: &str) -> Effect<Claims> {
//!     http::get("https://idp.example.com/verify").bearer(token).timeout(300.millis()).json()
//! }
//! ```
//!
//! The method that completes a request determines the accepted replies: [`send`](RequestBuilder::send) accepts any reply,
//! while [`json`](RequestBuilder::json), [`text`](RequestBuilder::text) and [`ok`](RequestBuilder::ok) accept only 2xx.
//! Redirects are not followed. Nothing is retried except by [`Effect::retry`](zerver_engine::Effect::retry) and the policy
//! of the target, so each request on the wire is one recorded attempt. There is one exception: if a pooled connection was
//! closed before a byte of the reply came back, a request that is idempotent is sent once more, and the trace says so.

mod client;
mod connector;
mod error_mapping;
mod header;
mod recorded_body;
mod reply;
mod request;
mod request_builder;
mod request_identity;
mod request_kind;
mod resolver;
mod tls_config;
mod tracked_stream;

pub use client::{Client, ClientBuilder};
pub use header::Header;
pub use reply::Reply;
pub use request::Request;
pub use request_builder::RequestBuilder;
pub use tls_config::RootsError;

/// Default maximum length of a reply's body, in bytes. A request or a client can set another.
pub const BODY_LIMIT: u64 = 8 * 1024 * 1024;

/// Starts a GET of this URL.
pub fn get(url: impl Into<String>) -> RequestBuilder {
    request("GET", url)
}

/// Starts a HEAD of this URL.
pub fn head(url: impl Into<String>) -> RequestBuilder {
    request("HEAD", url)
}

/// Starts a POST to this URL.
pub fn post(url: impl Into<String>) -> RequestBuilder {
    request("POST", url)
}

/// Starts a PUT to this URL.
pub fn put(url: impl Into<String>) -> RequestBuilder {
    request("PUT", url)
}

/// Starts a PATCH of this URL.
pub fn patch(url: impl Into<String>) -> RequestBuilder {
    request("PATCH", url)
}

/// Starts a DELETE of this URL.
pub fn delete(url: impl Into<String>) -> RequestBuilder {
    request("DELETE", url)
}

/// Starts a request with this method.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> RequestBuilder {
    RequestBuilder::new(method.into(), url.into())
}
