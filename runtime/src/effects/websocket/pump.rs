//! Moves messages between a socket and the channels of its session, in both directions at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError};
use zerver_engine::ClosedBy;

use super::account::{LOST, SharedAccount};
use super::message::WebSocketMessage;
use super::socket::Outgoing;

/// Interval between pings. A client that says nothing for a whole interval after a ping is lost.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Time that a client has to confirm that the session is closed.
pub(super) const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// Limits, in time and bytes, on reading a connection after its end. If it were closed at once, the system would discard what the
/// client has not read yet.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 << 20;

/// Code of a side that gave none (RFC 6455, section 7.4.1).
const NO_CODE: u16 = 1005;

/// Maximum length of a reason, in bytes: a control frame has 125, of which the code takes two.
const REASON_BYTES: usize = 123;

/// The code and the reason with which to close a session, once it is to be closed.
pub(super) type Finish = Option<(u16, &'static str)>;

/// A socket and its session.
pub(super) struct Pump<S> {
    sink: SplitSink<WebSocketStream<S>, Message>,
    stream: SplitStream<WebSocketStream<S>>,
    /// `None` once the session receives nothing any more.
    incoming: Option<mpsc::Sender<WebSocketMessage>>,
    outgoing: mpsc::Receiver<Outgoing>,
    account: SharedAccount,
    write_stall: Duration,
    activity: Activity,
}

/// Activity of the client since the last ping.
#[derive(Default)]
struct Activity {
    was_heard: AtomicBool,
    /// True if the session kept the client waiting, so that nothing was read.
    was_held: AtomicBool,
}

/// Reason why a direction has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Both sides have closed the session, or the connection is lost.
    Closed,
    /// The client breaks the protocol. It is to get this code.
    Violation(u16),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(super) fn new(
        socket: WebSocketStream<S>,
        incoming: mpsc::Sender<WebSocketMessage>,
        outgoing: mpsc::Receiver<Outgoing>,
        account: SharedAccount,
        write_stall: Duration,
    ) -> Self {
        let (sink, stream) = socket.split();
        let activity = Activity::default();
        Self { sink, stream, incoming: Some(incoming), outgoing, account, write_stall, activity }
    }

    /// Moves messages until the session is closed: by the client, by the function, or because `finish` says with which code. It is
    /// then closed for the function as well.
    pub(super) async fn run(mut self, finish: watch::Receiver<Finish>) -> Self {
        let Self { sink, stream, incoming, outgoing, account, write_stall, activity } = &mut self;
        let end = tokio::select! {
            end = read(stream, incoming, account, activity, finish.clone()) => end,
            () = write(sink, outgoing, account, activity, *write_stall, finish) => End::Closed,
        };
        self.incoming = None;
        self.outgoing.close();
        if let End::Violation(code) = end {
            self.account.close(ClosedBy::Service, code, "");
            let _ = timeout(CLOSE_GRACE, self.sink.send(close_message(code, ""))).await;
        }
        self
    }

    /// Closes the connection.
    pub(super) async fn close_connection(self) {
        let Ok(socket) = self.sink.reunite(self.stream) else { return };
        let mut socket = socket.into_inner();
        let lingering = async {
            socket.shutdown().await.ok()?;
            let (mut buffer, mut left) = (vec![0; 4096], LINGER_BYTES);
            while left > 0 {
                let read = socket.read(&mut buffer).await.ok().filter(|&read| read > 0)?;
                left = left.saturating_sub(read);
            }
            Some(())
        };
        let _ = timeout(LINGER, lingering).await;
    }
}

/// Reads messages until the session is closed. Once nothing receives them, they are discarded.
async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut SplitStream<WebSocketStream<S>>,
    incoming: &mut Option<mpsc::Sender<WebSocketMessage>>,
    account: &SharedAccount,
    activity: &Activity,
    mut finish: watch::Receiver<Finish>,
) -> End {
    tokio::select! {
        end = read_on(stream, incoming.as_ref(), account, activity) => return end,
        _ = asked_to_finish(&mut finish) => {}
    }
    *incoming = None;
    read_on(stream, None, account, activity).await
}

/// Waits until the session is to be closed, and returns how. Without its function, it is as well.
async fn asked_to_finish(finish: &mut watch::Receiver<Finish>) -> (u16, &'static str) {
    finish.wait_for(Option::is_some).await.ok().and_then(|finish| *finish).unwrap_or((1001, ""))
}

async fn read_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut SplitStream<WebSocketStream<S>>,
    incoming: Option<&mpsc::Sender<WebSocketMessage>>,
    account: &SharedAccount,
    activity: &Activity,
) -> End {
    loop {
        let permit = match incoming {
            None => None,
            Some(incoming) => match incoming.try_reserve() {
                Ok(permit) => Some(permit),
                Err(mpsc::error::TrySendError::Closed(())) => None,
                Err(mpsc::error::TrySendError::Full(())) => {
                    activity.was_held.store(true, Ordering::Relaxed);
                    incoming.reserve().await.ok()
                }
            },
        };
        let message = match stream.next().await {
            Some(Ok(Message::Text(text))) => WebSocketMessage::Text(text.as_str().to_owned()),
            Some(Ok(Message::Binary(bytes))) => WebSocketMessage::Binary(bytes),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame.map_or((NO_CODE, String::new()), |CloseFrame { code, reason }| {
                    (code.into(), reason.as_str().to_owned())
                });
                account.close(ClosedBy::Client, code, &reason);
                // The next read sends the confirmation.
                continue;
            }
            Some(Ok(_)) => {
                activity.was_heard.store(true, Ordering::Relaxed);
                continue;
            }
            Some(Err(error)) => match violation(&error) {
                Some(code) => return End::Violation(code),
                None => {
                    account.close(ClosedBy::Nobody, LOST, "");
                    return End::Closed;
                }
            },
            None => {
                account.close(ClosedBy::Nobody, LOST, "");
                return End::Closed;
            }
        };
        activity.was_heard.store(true, Ordering::Relaxed);
        account.add_received(&message);
        if let Some(permit) = permit {
            permit.send(message);
        }
    }
}

/// Returns the code for a client that has broken the protocol. `None` if the connection was lost.
const fn violation(error: &Error) -> Option<u16> {
    match error {
        Error::Capacity(_) => Some(1009),
        Error::Utf8(_) => Some(1007),
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::SendAfterClosing
            | ProtocolError::ReceivedAfterClosing,
        ) => None,
        Error::Protocol(_) => Some(1002),
        _ => None,
    }
}

/// Sends messages, and pings, until the session is closed or the client is lost. A message that is being sent is never dropped.
async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    account: &SharedAccount,
    activity: &Activity,
    write_stall: Duration,
    mut finish: watch::Receiver<Finish>,
) {
    let mut ping_at = Instant::now() + PING_INTERVAL;
    let (mut is_pinged, mut has_senders) = (false, true);
    let (code, reason) = loop {
        tokio::select! {
            biased;
            message = outgoing.recv(), if has_senders => match message {
                // The function receives, and sends nothing any more.
                None => has_senders = false,
                Some(Outgoing::Close(code, reason)) => break (code, reason),
                Some(Outgoing::Message(message)) => {
                    if !send(sink, outgoing, message, account, write_stall).await {
                        return;
                    }
                }
            },
            (code, reason) = asked_to_finish(&mut finish) => break (code, reason.to_owned()),
            () = sleep_until(ping_at) => {
                let was_heard = activity.was_heard.swap(false, Ordering::Relaxed);
                let was_held = activity.was_held.swap(false, Ordering::Relaxed);
                if is_pinged && !was_heard && !was_held {
                    account.close(ClosedBy::Nobody, LOST, "no answer to a ping");
                    return;
                }
                if timeout(write_stall, sink.send(Message::Ping(bytes::Bytes::new()))).await.is_err() {
                    account.close(ClosedBy::Nobody, LOST, "the client does not read");
                    return;
                }
                (is_pinged, ping_at) = (true, Instant::now() + PING_INTERVAL);
            }
        }
    };
    outgoing.close();
    while let Some(message) = outgoing.recv().await {
        // Nothing follows the close of the function.
        let Outgoing::Message(message) = message else { break };
        if !send(sink, outgoing, message, account, write_stall).await {
            return;
        }
    }
    let (code, reason) = sendable(code, &reason);
    if account.close(ClosedBy::Service, code, reason) {
        let _ = timeout(write_stall, sink.send(close_message(code, reason))).await;
    }
    // Until the client confirms it, which ends the other direction.
    sleep(CLOSE_GRACE).await;
}

/// Sends a message. Returns false if the client does not read, or is lost.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    outgoing: &mpsc::Receiver<Outgoing>,
    message: WebSocketMessage,
    account: &SharedAccount,
    write_stall: Duration,
) -> bool {
    account.add_sent(&message);
    let message = match message {
        WebSocketMessage::Text(text) => Message::text(text),
        WebSocketMessage::Binary(bytes) => Message::binary(bytes),
    };
    let sending = async {
        // Messages that wait are written together.
        match outgoing.is_empty() {
            true => sink.send(message).await,
            false => sink.feed(message).await,
        }
    };
    match timeout(write_stall, sending).await {
        Ok(Ok(())) => true,
        Ok(Err(_)) => {
            account.close(ClosedBy::Nobody, LOST, "");
            false
        }
        Err(_) => {
            account.close(ClosedBy::Nobody, LOST, "the client does not read");
            false
        }
    }
}

/// Returns a code and a reason that may be sent.
fn sendable(code: u16, reason: &str) -> (u16, &str) {
    let code = if CloseCode::from(code).is_allowed() { code } else { 1000 };
    (code, &reason[..reason.floor_char_boundary(REASON_BYTES)])
}

fn close_message(code: u16, reason: &str) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: reason.to_owned().into() }))
}

#[cfg(test)]
mod tests {
    use tokio::io::DuplexStream;
    use tokio_tungstenite::tungstenite::protocol::Role;
    use zerver_engine::WebSocketEnd;

    use super::*;

    /// Runs the pump of an idle session for at most two minutes of paused time. Returns its account if it has ended, and when.
    fn run_idle(client: impl AsyncFnOnce(WebSocketStream<DuplexStream>)) -> Option<(WebSocketEnd, Duration)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let (near, far) = tokio::io::duplex(1024);
            let near = WebSocketStream::from_raw_socket(near, Role::Server, None).await;
            let far = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
            let (incoming_tx, _incoming) = mpsc::channel(1);
            let (_outgoing_tx, outgoing) = mpsc::channel(1);
            let (_finish, finishing) = watch::channel(None);
            let account = SharedAccount::new(true);
            let pump = Pump::new(near, incoming_tx, outgoing, account.clone(), Duration::from_secs(60));
            let began = Instant::now();
            tokio::select! {
                _ = pump.run(finishing) => Some((account.end(), began.elapsed())),
                () = client(far) => None,
                () = sleep(Duration::from_secs(120)) => None,
            }
        })
    }

    #[test]
    fn a_client_that_answers_pings_stays() {
        let ended = run_idle(async |mut client| while client.next().await.is_some() {});
        assert_eq!(ended, None);
    }

    #[test]
    fn a_client_that_says_nothing_is_lost() {
        // It keeps the connection open.
        let ended = run_idle(async |client| {
            sleep(Duration::from_secs(120)).await;
            drop(client);
        });
        let (end, after) = ended.unwrap();
        assert_eq!((end.closed_by, end.code, &*end.reason), (ClosedBy::Nobody, LOST, "no answer to a ping"));
        assert_eq!(after, 2 * PING_INTERVAL);
    }

    #[test]
    fn codes_and_reasons_are_made_to_fit() {
        for (code, sent) in [(1000, 1000), (4999, 4999), (0, 1000), (1005, 1000), (1006, 1000), (5000, 1000)]
        {
            assert_eq!(sendable(code, "").0, sent, "{code}");
        }
        let reason = "ä".repeat(100);
        assert_eq!(sendable(1000, &reason).1.len(), 122);
    }
}
