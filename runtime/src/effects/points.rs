//! Names of the points that the interpreters of zerver report; see [`report_point`](super::report_point).

/// The pool had a connection for the call.
pub const CONNECTION: &str = "connection";
/// The connection of the client is a WebSocket.
pub const OPENED: &str = "opened";
/// The name was resolved, and a new connection is open, including TLS.
pub const CONNECTED: &str = "connected";
/// The statement was prepared by the server.
pub const PREPARED: &str = "prepared";
/// The request was sent.
pub const SENT: &str = "sent";
/// The head of the reply arrived.
pub const FIRST_BYTE: &str = "first byte";
/// The key of a call that is performed once is known: its answer was kept, and nothing is performed.
pub const ALREADY_DONE: &str = "already done";
/// The first row of the result arrived.
pub const FIRST_ROW: &str = "first row";
