//! A connection that has become a WebSocket: its socket belongs to the session, and its worker counts it until the session ends.

use std::rc::Rc;

use hyper::server::conn::http1::Parts;
use hyper_util::rt::TokioIo;

use super::connection_state::Connection;
use super::in_flight_guard::InFlightGuard;
use super::socket_io::SocketIo;
use crate::effects::websocket::UpgradedSocket;
use crate::execution::streamed_body::StreamReceiver;

/// Runs the session of a connection that hyper has left.
pub(super) async fn run<S>(
    session: StreamReceiver,
    conn: &Rc<Connection>,
    parts: Parts<TokioIo<SocketIo>, S>,
) {
    let Some(socket) = conn.take_socket() else { return };
    let Parts { io, read_buf, .. } = parts;
    let mut early = read_buf.to_vec();
    early.extend_from_slice(io.inner().unpassed());
    drop(io);
    let _in_flight = InFlightGuard::begin(conn);
    session.run_session(UpgradedSocket { socket, early }).await;
}
