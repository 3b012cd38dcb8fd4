//! Streams: effects that make the body of a response while it is sent, and effects that read the body of a request piece by piece
//! ([`RequestBody`]).
//!
//! A step responds with [`Response::stream`](crate::prelude::Response::stream), and the function of the stream runs on the effect
//! runtime. It waits whenever the client does not keep up, and is dropped when the client leaves. The trace contains its
//! arguments, the time of its first byte, how much it sent, and the beginning of the body.
//!
//! ```
//! use zerver::prelude::*;
//!
//! /// Counts down to zero.
//! #[stream]
//! async fn countdown(from: u64, to: StreamSender<JsonLine<u64>>) {
//!     for number in (0..=from).rev() {
//!         to.send(JsonLine(number)).await;
//!     }
//! }
//!
//! #[step]
//! fn start(_: &Request) -> Response {
//!     Response::stream(countdown(10))
//! }
//!
//! let app = App::new().flow(flow!("countdown", GET "/countdown", steps: [start])).effect::<countdown>();
//! ```

mod output;
mod perform;
mod request_body;
mod sender;

pub use output::StreamOutput;
#[cfg(feature = "websocket")]
pub(crate) use output::session_channel;
pub(crate) use output::{StreamMessage, channel};
pub use perform::perform_stream;
pub use request_body::{BodyError, RequestBody, UnreadBody};
pub(crate) use request_body::{BodySender, body_channel};
pub use sender::StreamSender;
