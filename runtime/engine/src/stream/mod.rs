//! Streamed responses: bodies that are sent while an effect makes them. A step responds with the description of such a
//! stream, as it returns the description of an effect; an interpreter makes the items. A WebSocket is a stream in both
//! directions.

mod item;
mod kind;
mod response_stream;
mod server_event;
mod web_socket;

pub use item::{JsonLine, StreamFormat, StreamItem};
pub use kind::{StreamEnd, StreamKind};
pub use response_stream::ResponseStream;
pub use server_event::ServerEvent;
pub use web_socket::{
    ClosedBy, MessageCount, RecordedMessage, WebSocketEnd, WebSocketKind, WebSocketRules, WebSocketSession,
};
