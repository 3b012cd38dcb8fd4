//! Performs a session: runs its function while messages are exchanged.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use zerver_engine::{EffectError, EffectErrorKind, WebSocketEnd};
use zerver_trace::LogLevel;

use super::pump::{CLOSE_GRACE, Pump};
use super::session_slot::{PendingSession, UpgradedSocket};
use super::socket::WebSocket;
use crate::effects::interpreter::{BoxFuture, EffectContext};
use crate::effects::{points, report_line, report_point};

/// Number of messages of either direction that wait. Then their sender waits.
const BUFFERED_MESSAGES: usize = 8;

/// Sizes of the buffers of a socket, in bytes. There may be many sockets, and most are idle.
const READ_BUFFER: usize = 4 << 10;
const WRITE_BUFFER: usize = 16 << 10;

/// Performs a session. `make` gets the socket, and returns the future that exchanges the messages. An interpreter of a
/// [`WebSocketKind`](crate::engine::WebSocketKind) calls this; `#[websocket]` does so by itself.
///
/// Outside a response, as in [`Interpreters::perform`](crate::effects::Interpreters::perform), there is no client, and it fails.
pub fn perform_websocket<F>(
    context: &EffectContext,
    make: impl FnOnce(WebSocket) -> F,
) -> BoxFuture<Result<WebSocketEnd, EffectError>>
where
    F: Future<Output = Result<(), EffectError>> + Send + 'static,
{
    let pending = context.stream.as_ref().and_then(|output| output.session()?.take());
    let (incoming_tx, incoming) = mpsc::channel(BUFFERED_MESSAGES);
    let (outgoing_tx, outgoing) = mpsc::channel(BUFFERED_MESSAGES);
    let function = make(WebSocket::new(incoming, outgoing_tx));
    Box::pin(async move {
        let Some(mut pending) = pending else {
            let message = "a session needs the connection of its client, and cannot begin again";
            return Err(EffectError::new(EffectErrorKind::Internal, message));
        };
        let Ok(UpgradedSocket { socket, early }) = (&mut pending.upgraded).await else {
            // The client has left before the session began. The call is canceled.
            return std::future::pending().await;
        };
        let socket = socket
            .into_current_runtime()
            .map_err(|error| EffectError::new(EffectErrorKind::Internal, error.to_string()))?;
        report_point(points::OPENED);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(pending.limits.message_bytes))
            .max_frame_size(Some(pending.limits.message_bytes));
        let socket = WebSocketStream::from_partially_read(socket, early, Role::Server, Some(config)).await;
        let account = pending.account.clone();
        let pump = Pump::new(socket, incoming_tx, outgoing, account, pending.limits.write_stall);
        run(pump, pending, function).await
    })
}

/// Event that ends the exchange of messages.
enum First<T, P> {
    Returned(T),
    Closed(P),
    Stopping,
}

/// Runs a session to its end.
async fn run<S, F>(
    pump: Pump<S>,
    PendingSession { mut stopping, account, .. }: PendingSession,
    function: F,
) -> Result<WebSocketEnd, EffectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<(), EffectError>>,
{
    // After a panic, too, the client learns that the session is over.
    let mut function = pin!(AssertUnwindSafe(function).catch_unwind());
    let (finish, finishing) = watch::channel(None);
    let mut pumping = pin!(pump.run(finishing));
    let first = tokio::select! {
        biased;
        returned = &mut function => First::Returned(returned),
        pump = &mut pumping => First::Closed(pump),
        _ = stopping.wait_for(|is_stopping| *is_stopping) => First::Stopping,
    };
    let (pump, late) = match first {
        First::Returned(returned) => {
            finish.send_replace(Some((if matches!(returned, Ok(Ok(()))) { 1000 } else { 1011 }, "")));
            pumping.await.close_connection().await;
            return match returned {
                Ok(result) => result.map(|()| account.end()),
                Err(panic) => resume_unwind(panic),
            };
        }
        First::Closed(pump) => (pump, timeout(CLOSE_GRACE, function).await),
        First::Stopping => {
            finish.send_replace(Some((1001, "the service stops")));
            tokio::join!(pumping, timeout(CLOSE_GRACE, function))
        }
    };
    pump.close_connection().await;
    let log = |line: String| report_line(LogLevel::Info, "zerver::websocket", || line);
    match late {
        Ok(Ok(Ok(()))) => {}
        // The session was over. An error after that is mostly that of a message that could not be sent.
        Ok(Ok(Err(error))) => log(format!("after the end of the session: {error}")),
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => log("the function of the session did not end in time, and was dropped".to_owned()),
    }
    Ok(account.end())
}
