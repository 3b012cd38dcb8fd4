//! Answers to requests, before they are HTTP.

use bytes::Bytes;
use http::StatusCode;
use maud::Markup;
use tokio::sync::mpsc::Receiver;

/// Answer to a request.
pub(crate) enum Reply {
    Page(StatusCode, Markup),
    /// A file of the UI: content type and text.
    Asset(&'static str, &'static str),
    /// Continues at another path of this server.
    SeeOther {
        to: String,
        set_cookie: Option<String>,
    },
    Events(Receiver<Bytes>),
}
