//! The way of the items from the effect that makes them to the body of the response.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{Notify, mpsc};
use zerver_engine::{EffectError, EffectErrorKind, StreamEnd};

#[cfg(feature = "websocket")]
use crate::effects::websocket::SessionSlot;
use crate::http::Encoder;

/// Number of items that wait for the client. Then the stream waits.
const BUFFERED_ITEMS: usize = 8;

/// Maximum length of the beginning of the body that is recorded, in bytes. It is kept until the stream ends, so it is shorter
/// than that of other bodies.
const RECORDED_BYTES: usize = 16 << 10;

/// A message to the body of a response.
pub(crate) enum StreamMessage {
    Item(Bytes),
    Trailers(HeaderMap),
    /// The session of a WebSocket wants its socket. There is no body.
    #[cfg(feature = "websocket")]
    Upgrade(tokio::sync::oneshot::Sender<crate::effects::websocket::UpgradedSocket>),
    /// Nothing follows.
    End,
}

/// Where a stream sends its items.
#[derive(Clone)]
pub struct StreamOutput(Arc<Shared>);

struct Shared {
    /// `None` outside a request: the items are only counted.
    to: Option<mpsc::Sender<StreamMessage>>,
    /// Length of the whole body, if the response has promised it.
    length: Option<u64>,
    is_recorded: bool,
    sent: Mutex<Sent>,
    /// Notified once the stream has failed by what it sent.
    failed: Notify,
    /// The session, if this is that of a WebSocket instead of a body.
    #[cfg(feature = "websocket")]
    session: Option<SessionSlot>,
}

/// Account of the items so far.
#[derive(Default)]
struct Sent {
    items: u64,
    bytes: u64,
    /// The beginning of the body.
    beginning: Vec<u8>,
    hasher: blake3::Hasher,
    /// Time of the last item.
    last: Option<Instant>,
    /// Number of times that the stream waited for the client, and for how long altogether.
    waits: u32,
    waited: Duration,
    error: Option<EffectError>,
    is_started: bool,
    /// True once the last item was sent.
    is_finished: bool,
    /// Compresses the items, if the client accepts that.
    encoder: Option<Encoder>,
}

/// Creates the output of a stream whose body has this length, if it is known, and the receiver of its messages. Dropping the receiver
/// tells the stream that the client has left.
pub(crate) fn channel(
    length: Option<u64>,
    encoder: Option<Encoder>,
    is_recorded: bool,
) -> (StreamOutput, mpsc::Receiver<StreamMessage>) {
    let (to, messages) = mpsc::channel(BUFFERED_ITEMS);
    let output = StreamOutput::new(Shared::new(Some(to), length, is_recorded));
    output.sent().encoder = encoder;
    (output, messages)
}

/// Creates the output of a session over a WebSocket, which has no items, and the receiver of its messages.
#[cfg(feature = "websocket")]
pub(crate) fn session_channel(session: SessionSlot) -> (StreamOutput, mpsc::Receiver<StreamMessage>) {
    let (to, messages) = mpsc::channel(1);
    let shared = Shared { session: Some(session), ..Shared::new(Some(to), None, false) };
    (StreamOutput::new(shared), messages)
}

impl Shared {
    fn new(to: Option<mpsc::Sender<StreamMessage>>, length: Option<u64>, is_recorded: bool) -> Self {
        Self {
            to,
            length,
            is_recorded,
            sent: Mutex::default(),
            failed: Notify::new(),
            #[cfg(feature = "websocket")]
            session: None,
        }
    }
}

impl StreamOutput {
    fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Returns an output that only counts, for a stream outside a request.
    pub(super) fn counting() -> Self {
        Self::new(Shared::new(None, None, false))
    }

    /// Returns the session, if this is that of a WebSocket.
    #[cfg(feature = "websocket")]
    pub(crate) fn session(&self) -> Option<&SessionSlot> {
        self.0.session.as_ref()
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.0.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn channel(&self) -> Option<&mpsc::Sender<StreamMessage>> {
        self.0.to.as_ref()
    }

    /// Begins the stream.
    ///
    /// # Errors
    /// If it has begun before: what the client has received cannot be repeated.
    pub(super) fn begin(&self) -> Result<(), EffectError> {
        match std::mem::replace(&mut self.sent().is_started, true) {
            false => Ok(()),
            true => Err(EffectError::new(EffectErrorKind::Internal, "a stream cannot be started again")),
        }
    }

    /// Sends an item, once the client has room for it. Returns true for the first one. If the stream has failed, or the client has
    /// left, this never returns: the call ends, and its future is dropped.
    pub(super) async fn send(&self, bytes: Bytes) -> bool {
        let permit = match &self.0.to {
            None => None,
            Some(to) => match to.try_reserve() {
                Ok(permit) => Some(permit),
                Err(mpsc::error::TrySendError::Closed(())) => return std::future::pending().await,
                Err(mpsc::error::TrySendError::Full(())) => {
                    let began = Instant::now();
                    let Ok(permit) = to.reserve().await else { return std::future::pending().await };
                    let mut sent = self.sent();
                    sent.waits = sent.waits.saturating_add(1);
                    sent.waited = sent.waited.saturating_add(began.elapsed());
                    Some(permit)
                }
            },
        };
        let checked = {
            // The permit is used under the lock, so that the hash covers the items in the order in which they are sent.
            let mut sent = self.sent();
            let total = sent.bytes.saturating_add(bytes.len() as u64);
            if self.0.length.is_some_and(|length| total > length) {
                Err(self.wrong_length())
            } else {
                sent.add(&bytes, self.0.is_recorded);
                sent.encode(bytes).map(|bytes| {
                    if let Some(permit) = permit {
                        permit.send(StreamMessage::Item(bytes));
                    }
                    sent.items == 1
                })
            }
        };
        match checked {
            Ok(is_first) => is_first,
            Err(error) => self.fail(error).await,
        }
    }

    /// Passes on a piece of a body that another service has made, whatever its length.
    pub(crate) async fn pass_on(&self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.send(bytes).await;
        }
    }

    fn wrong_length(&self) -> EffectError {
        let length = self.0.length.unwrap_or_default();
        let message = format!("the stream has another length than the {length} bytes of its response");
        EffectError::new(EffectErrorKind::Malformed, message)
    }

    /// Ends the stream with an error. Never returns: the future of the call is dropped.
    pub(super) async fn fail<T>(&self, error: EffectError) -> T {
        self.sent().error.get_or_insert(error);
        self.0.failed.notify_one();
        std::future::pending().await
    }

    /// Returns the error with which an item has ended the stream, once there is one.
    pub(super) async fn failure(&self) -> EffectError {
        loop {
            if let Some(error) = self.sent().error.clone() {
                return error;
            }
            self.0.failed.notified().await;
        }
    }

    /// Ends the stream after its last item.
    ///
    /// # Errors
    /// If it is shorter than the response has promised.
    pub(super) fn finish(&self) -> Result<StreamEnd, EffectError> {
        let mut sent = self.sent();
        if self.0.length.is_some_and(|length| sent.bytes != length) {
            return Err(self.wrong_length());
        }
        sent.is_finished = true;
        let hash = sent.hasher.finalize().to_hex()[..32].to_owned();
        Ok(StreamEnd { items: sent.items, bytes: sent.bytes, hash })
    }

    /// Returns what the client needs after the last item to read all of them, if they are compressed.
    pub(crate) fn take_end(&self) -> Option<Bytes> {
        self.sent().encoder.take()?.finish().ok()
    }

    /// Returns true once the last item was sent.
    pub(crate) fn is_finished(&self) -> bool {
        self.sent().is_finished
    }

    /// Returns the time of the last item.
    pub(crate) fn last_sent(&self) -> Option<Instant> {
        self.sent().last
    }

    /// Takes the recorded beginning of the body, and returns the length of what was sent.
    pub(crate) fn take_recorded(&self) -> (Bytes, u64) {
        let mut sent = self.sent();
        (std::mem::take(&mut sent.beginning).into(), sent.bytes)
    }

    /// Returns how often the stream waited for the client, and for how long.
    pub(crate) fn waits(&self) -> (u32, Duration) {
        let sent = self.sent();
        (sent.waits, sent.waited)
    }
}

impl Sent {
    /// Compresses an item, if the client accepts that.
    fn encode(&mut self, bytes: Bytes) -> Result<Bytes, EffectError> {
        match &mut self.encoder {
            None => Ok(bytes),
            Some(encoder) => encoder.encode(&bytes).map_err(|error| {
                EffectError::new(
                    EffectErrorKind::Internal,
                    format!("the stream cannot be compressed: {error}"),
                )
            }),
        }
    }

    fn add(&mut self, bytes: &[u8], is_recorded: bool) {
        self.items += 1;
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
        self.last = Some(Instant::now());
        if is_recorded && self.beginning.len() < RECORDED_BYTES {
            let room = RECORDED_BYTES - self.beginning.len();
            self.beginning.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
}

impl fmt::Debug for StreamOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.sent();
        f.debug_struct("StreamOutput")
            .field("items", &sent.items)
            .field("bytes", &sent.bytes)
            .finish_non_exhaustive()
    }
}
