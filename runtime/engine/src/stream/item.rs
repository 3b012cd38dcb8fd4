//! Items of streams, and the formats in which they are sent.

use bytes::Bytes;
use serde::Serialize;

/// An item of a stream.
///
/// Implemented for [`Bytes`] (`application/octet-stream`), `String` and `&'static str` (`text/plain`), [`JsonLine`]
/// (`application/x-ndjson`), and [`ServerEvent`](super::ServerEvent) (`text/event-stream`).
pub trait StreamItem: Send + 'static {
    /// Format of a stream of such items.
    const FORMAT: StreamFormat;

    /// Returns the bytes to send. An item without bytes is not sent.
    ///
    /// # Errors
    /// If the item cannot be expressed in the format. The stream fails then.
    fn into_bytes(self) -> Result<Bytes, serde_json::Error>;
}

/// Format of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamFormat {
    /// `Content-Type` of the response.
    pub content_type: &'static str,
    /// True if clients expect the stream to go on, and reconnect when it ends, as they do for server-sent events. Such a stream
    /// gets comments while it is idle, so that proxies keep it open. It ends when the service stops, and a client that leaves
    /// is not a failure.
    pub is_endless: bool,
}

impl StreamFormat {
    /// A format of streams that have an end.
    pub const fn finite(content_type: &'static str) -> Self {
        Self { content_type, is_endless: false }
    }
}

impl StreamItem for Bytes {
    const FORMAT: StreamFormat = StreamFormat::finite("application/octet-stream");

    fn into_bytes(self) -> Result<Bytes, serde_json::Error> {
        Ok(self)
    }
}

impl StreamItem for String {
    const FORMAT: StreamFormat = StreamFormat::finite("text/plain; charset=utf-8");

    fn into_bytes(self) -> Result<Bytes, serde_json::Error> {
        Ok(self.into())
    }
}

impl StreamItem for &'static str {
    const FORMAT: StreamFormat = String::FORMAT;

    fn into_bytes(self) -> Result<Bytes, serde_json::Error> {
        Ok(self.into())
    }
}

/// A line of newline-delimited JSON.
///
/// ```
/// use zerver_engine::{JsonLine, StreamItem};
///
/// assert_eq!(JsonLine(vec!["milk\n"]).into_bytes().unwrap(), "[\"milk\\n\"]\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonLine<T>(pub T);

impl<T: Serialize + Send + 'static> StreamItem for JsonLine<T> {
    const FORMAT: StreamFormat = StreamFormat::finite("application/x-ndjson");

    fn into_bytes(self) -> Result<Bytes, serde_json::Error> {
        let mut line = serde_json::to_vec(&self.0)?;
        line.push(b'\n');
        Ok(line.into())
    }
}
