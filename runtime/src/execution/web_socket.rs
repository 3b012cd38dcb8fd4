//! Begins the session of a WebSocket: the last checks, and what the head of the response needs.

use tokio::sync::oneshot;
use zerver_engine::{Failure, Response};

use super::active_request::ActiveRequest;
use super::streamed_body::{StreamReceiver, StreamResult};
use crate::effects::stream::StreamOutput;
#[cfg(feature = "websocket")]
use crate::effects::{
    stream::{StreamMessage, session_channel},
    websocket::{SessionLimits, SessionSlot},
};
use crate::server::service::WorkerService;

/// Where a session sends, and the server's side of it.
pub(super) type Begun = (StreamOutput, (oneshot::Sender<StreamResult>, StreamReceiver));

/// Completes the head of the response, and creates the ways between the server and the session.
///
/// # Errors
/// If the request has come over another server, which keeps its connection, or the request is no handshake.
#[cfg(feature = "websocket")]
pub(super) fn begin(
    active: &ActiveRequest,
    service: &WorkerService,
    response: &mut Response,
    has_connection: bool,
) -> Result<Begun, Failure> {
    use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
    let failure = |message: &str| Failure::internal("websocket").message(message);
    if !has_connection {
        return Err(failure("this flow is served by another server, which keeps the connection"));
    }
    // A failure that is rendered as a session was not checked before.
    let key = active.shared_request().and_then(|request| request.headers.get("sec-websocket-key").cloned());
    let Some(key) = key else { return Err(failure("the request does not ask for a WebSocket")) };
    let accept = derive_accept_key(key.as_bytes());
    *response = std::mem::replace(response, Response::no_content()).header("sec-websocket-accept", &accept);
    let own_limit = response.stream.as_ref().and_then(|stream| stream.web_socket_rules()?.message_bytes());
    let limits = SessionLimits {
        message_bytes: own_limit.unwrap_or(service.limits.body_bytes),
        write_stall: service.limits.write_stall,
    };
    let (to, session) = SessionSlot::new(limits, service.effect_runtime.stopping(), service.sink.is_some());
    let (output, messages) = session_channel(session);
    if let Some(channel) = output.channel() {
        // The channel is empty, and has room for one.
        let _ = channel.try_send(StreamMessage::Upgrade(to));
    }
    Ok((output, StreamReceiver::of_session(messages)))
}

/// Refuses the session.
#[cfg(not(feature = "websocket"))]
pub(super) fn begin(
    _active: &ActiveRequest,
    _service: &WorkerService,
    _response: &mut Response,
    _has_connection: bool,
) -> Result<Begun, Failure> {
    Err(Failure::internal("websocket")
        .message("this program is built without the Cargo feature `websocket` of zerver"))
}
