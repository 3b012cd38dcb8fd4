//! HTTP requests to others: how a step asks for one, and [`Client`], which performs it.
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
//! A request ends in what its reply is to be: [`send`](RequestBuilder::send) takes any reply,
//! [`json`](RequestBuilder::json) and its like only one that says 2xx. No redirect is followed, and nothing is tried
//! again but by [`Effect::retry`](zerver_engine::Effect::retry): each request is an effect of its own, and recorded.

mod client;
mod connector;
mod error_mapping;
mod recorded_body;
mod reply;
mod request;
mod request_identity;
mod resolver;
mod tls_config;

pub use client::{Client, ClientBuilder};
pub use reply::Reply;
pub use request::{Header, Request, RequestBuilder};
pub use tls_config::RootsError;

/// The longest body of a reply, in bytes, unless the request or the client says otherwise.
pub const BODY_LIMIT: u64 = 8 * 1024 * 1024;

/// A GET of this URL.
pub fn get(url: impl Into<String>) -> RequestBuilder {
    request("GET", url)
}

/// A HEAD of this URL.
pub fn head(url: impl Into<String>) -> RequestBuilder {
    request("HEAD", url)
}

/// A POST to this URL.
pub fn post(url: impl Into<String>) -> RequestBuilder {
    request("POST", url)
}

/// A PUT to this URL.
pub fn put(url: impl Into<String>) -> RequestBuilder {
    request("PUT", url)
}

/// A PATCH of this URL.
pub fn patch(url: impl Into<String>) -> RequestBuilder {
    request("PATCH", url)
}

/// A DELETE of this URL.
pub fn delete(url: impl Into<String>) -> RequestBuilder {
    request("DELETE", url)
}

/// A request with any method.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> RequestBuilder {
    RequestBuilder::new(method.into(), url.into())
}
