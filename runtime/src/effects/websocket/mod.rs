//! WebSockets (RFC 6455): a flow decides whether a session begins, and an async function exchanges its messages.
//!
//! A step responds with [`Response::websocket`](crate::prelude::Response::websocket), and the function runs on the effect runtime
//! once the client has the response. The trace has its arguments, how many messages went either way, a hash of them, the first
//! ones, and who closed the session, with which code. A replay compares which session was begun, and takes its end from the
//! recording.
//!
//! ```
//! use zerver::effects::websocket::WebSocketClosed;
//! use zerver::prelude::*;
//!
//! /// Sends each text back, with a greeting.
//! #[websocket]
//! async fn greet(name: String, mut socket: WebSocket) -> Result<(), WebSocketClosed> {
//!     while let Some(message) = socket.receive().await {
//!         if let Some(text) = message.as_text() {
//!             socket.send(format!("{name}: {text}")).await?;
//!         }
//!     }
//!     Ok(())
//! }
//!
//! #[step]
//! fn open(Path(name): Path<String>) -> Response {
//!     Response::websocket(greet(name))
//! }
//!
//! let app = App::new().flow(flow!("greet", GET "/greet/{name}", steps: [open])).effect::<greet>();
//! # app.test("greet").get("/greet/ann").websocket().run().assert_status(101);
//! ```

mod account;
mod message;
mod perform;
mod pump;
mod session_slot;
mod socket;

pub use message::WebSocketMessage;
pub use perform::perform_websocket;
pub(crate) use session_slot::{SessionLimits, SessionSlot, UpgradedSocket};
pub use socket::{WebSocket, WebSocketClosed, WebSocketSender};
