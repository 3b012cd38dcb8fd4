//! State of a connection and the deadline that follows from it: the time limits that hyper does not enforce.
//!
//! Requests do not set timers. Phases are noted as they change, with times that are known anyway. Each connection has a
//! single timer that checks them and is moved only when it fires.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use http::StatusCode;
use smallvec::SmallVec;
use tokio::net::TcpStream;

use super::client_socket::ClientSocket;
use super::message_framing::BodyFraming;
use crate::Limits;
use crate::execution::delivery::Delivery;
#[cfg(feature = "websocket")]
use crate::execution::streamed_body::StreamReceiver;

/// Bytes of a response that a client must read for it to count as progress.
const PROGRESS_BYTES: usize = 16 * 1024;

/// Time that a response may still take once the client has closed its sending side. The client may still be reading
/// (RFC 9112, section 9.6).
const CLOSED_GRACE: Duration = Duration::from_millis(250);

/// Longest time for which requests of HTTP/2 run while their connection is polled.
const RUN_AT_ONCE: Duration = Duration::from_micros(500);

/// State of a client connection.
pub(crate) struct Connection {
    /// Address of the client: that of the other side, or the one that a trusted proxy announces.
    peer: Cell<SocketAddr>,
    /// Times at which the connection was accepted, and opened by its worker. `None` once it has received a request.
    open_times: Cell<Option<(Instant, Instant)>>,
    /// True for HTTP/2, where frames arrive at any time and only requests change the phase.
    is_http2: Cell<bool>,
    phase: Cell<Phase>,
    /// Number of requests in flight.
    requests: Cell<u32>,
    /// Set while the client does not read what it was sent.
    blocked_write: Cell<Option<BlockedWrite>>,
    /// HTTP/2: the same for each response that waits for its stream.
    streams: RefCell<Vec<Option<BlockedWrite>>>,
    /// End of the most recent request.
    last_ended: Cell<Instant>,
    /// True if part of a request's body was not read.
    has_unread_body: Cell<bool>,
    /// Time at which the client closed its sending side.
    client_closed_at: Cell<Option<Instant>>,
    /// True while a read by hyper is pending. Such a read notices a close by the client.
    has_pending_read: Cell<bool>,
    /// HTTP/1: framing of the body that follows the head which has just been read.
    body_framing: Cell<Option<BodyFraming>>,
    /// Number of requests whose body is being read.
    body_reads: Cell<u32>,
    /// Number of responses whose bodies are being made, and of those that have no end of their own.
    streamed_bodies: Cell<u32>,
    endless_bodies: Cell<u32>,
    /// True if a response of the service may not have been written yet.
    has_unflushed_response: Cell<bool>,
    /// Status of hyper's own response to a malformed request. The client receives a response of the service instead.
    intercepted_status: Cell<Option<StatusCode>>,
    waker: RefCell<Option<Waker>>,
    /// HTTP/2: arrival of the first request of the current poll.
    first_arrival: Cell<Option<Instant>>,
    /// Captures whose responses hyper has taken but may not have written yet.
    deliveries: RefCell<SmallVec<[Delivery; 1]>>,
    /// The session that begins once hyper has written the response, and has ended.
    #[cfg(feature = "websocket")]
    session: RefCell<Option<Box<StreamReceiver>>>,
    /// The socket, which hyper uses through [`SocketIo`](super::socket_io::SocketIo).
    socket: RefCell<Option<ClientSocket>>,
}

/// A write that waits because the client does not read.
#[derive(Debug, Clone, Copy)]
struct BlockedWrite {
    began: Instant,
    /// Time of the last progress.
    progressed: Instant,
    /// Bytes that the client has read since the last progress.
    bytes: usize,
}

impl BlockedWrite {
    const fn new(began: Instant) -> Self {
        Self { began, progressed: began, bytes: 0 }
    }

    /// Time at which to close the connection.
    fn close_at(&self, limits: &Limits) -> Instant {
        (self.progressed + limits.write_stall).min(self.began + limits.write)
    }
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Waiting for a request, since this time.
    Idle(Instant),
    /// Reading a head. Contains the time since which the head is known to be incomplete.
    ReadingHead(Option<Instant>),
    /// Requests are in flight.
    Busy,
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr, accepted: Instant, now: Instant) -> Self {
        Self {
            peer: Cell::new(peer),
            open_times: Cell::new(Some((accepted, now))),
            is_http2: Cell::new(false),
            phase: Cell::new(Phase::ReadingHead(Some(now))),
            requests: Cell::new(0),
            blocked_write: Cell::new(None),
            streams: RefCell::default(),
            last_ended: Cell::new(now),
            has_unread_body: Cell::new(false),
            client_closed_at: Cell::new(None),
            has_pending_read: Cell::new(false),
            body_framing: Cell::new(None),
            body_reads: Cell::new(0),
            streamed_bodies: Cell::new(0),
            endless_bodies: Cell::new(0),
            has_unflushed_response: Cell::new(false),
            intercepted_status: Cell::new(None),
            waker: RefCell::default(),
            first_arrival: Cell::new(None),
            deliveries: RefCell::default(),
            #[cfg(feature = "websocket")]
            session: RefCell::default(),
            socket: RefCell::default(),
        }
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer.get()
    }

    /// Sets the address of the client that a proxy has announced.
    pub(crate) fn set_peer(&self, peer: SocketAddr) {
        self.peer.set(peer);
    }

    /// Returns the times at which the connection was accepted and opened, once, for its first request.
    pub(crate) fn take_open_times(&self) -> Option<(Instant, Instant)> {
        self.open_times.take()
    }

    /// Time since which the connection waits for a request. `None` for HTTP/2, where requests overlap.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (!self.is_http2.get()).then(|| self.last_ended.get())
    }

    /// Notes that the head of a request has arrived.
    pub(crate) fn begin_request(&self) {
        self.requests.set(self.requests.get() + 1);
        self.phase.set(Phase::Busy);
    }

    /// Notes that a request has ended.
    pub(crate) fn end_request(&self, now: Instant) {
        self.last_ended.set(now);
        self.has_unflushed_response.set(true);
        self.requests.set(self.requests.get().saturating_sub(1));
        if self.requests.get() == 0 {
            self.phase.set(Phase::Idle(now));
        }
        self.wake_if_client_closed();
    }

    /// Notes the framing of the body that follows the head which has just been read.
    pub(crate) fn set_body_framing(&self, body_framing: BodyFraming) {
        self.body_framing.set(Some(body_framing));
    }

    pub(crate) fn take_body_framing(&self) -> Option<BodyFraming> {
        self.body_framing.take()
    }

    /// Notes that the body of a request is being read, until the returned guard is dropped.
    pub(crate) fn start_body_read(&self) -> BodyReadGuard<'_> {
        self.body_reads.set(self.body_reads.get() + 1);
        BodyReadGuard(self)
    }

    /// Number of requests in flight.
    pub(crate) fn in_flight(&self) -> u32 {
        self.requests.get()
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.requests.get() > 0
    }

    /// Notes that the client uses HTTP/2.
    pub(crate) fn start_http2(&self) {
        self.is_http2.set(true);
        self.phase.set(Phase::Idle(Instant::now()));
    }

    pub(crate) fn note_read(&self) {
        self.has_pending_read.set(false);
        if let Phase::Idle(_) = self.phase.get()
            && !self.is_http2.get()
        {
            self.phase.set(Phase::ReadingHead(None));
        }
    }

    pub(crate) fn note_read_pending(&self) {
        self.has_pending_read.set(true);
        if let Phase::ReadingHead(None) = self.phase.get() {
            self.phase.set(Phase::ReadingHead(Some(Instant::now())));
        }
    }

    /// Notes that the client has closed its sending side. Returns true if the close must be hidden from hyper for now,
    /// because hyper would drop the requests in flight.
    pub(crate) fn note_client_closed(&self) -> bool {
        if self.client_closed_at.get().is_none() {
            self.client_closed_at.set(Some(Instant::now()));
            if self.is_http2.get() {
                // hyper handles the requests that it has just read only when no more bytes are available.
                self.wake();
                return true;
            }
        }
        self.hides_client_close()
    }

    /// Returns true if the client has closed its sending side and the close must still be hidden from hyper.
    pub(crate) fn hides_client_close(&self) -> bool {
        self.client_closed_at.get().is_some()
            && (self.is_busy()
                || self.has_unflushed_response.get()
                || self.streams.borrow().iter().any(Option::is_some))
    }

    /// Wakes the connection if the client has closed its sending side, because hyper may now be allowed to see the
    /// close.
    fn wake_if_client_closed(&self) {
        if self.client_closed_at.get().is_some() {
            self.wake();
        }
    }

    /// Returns true if the socket must be watched for a close by the client. hyper reads no further than it needs to,
    /// so no read may be pending that would notice the close.
    pub(crate) fn needs_close_watch(&self) -> bool {
        self.is_busy()
            && self.body_reads.get() == 0
            && (!self.has_pending_read.get() || self.client_closed_at.get().is_some())
    }

    pub(crate) fn note_written(&self, bytes: usize) {
        if let Some(blocked) = self.blocked_write.get() {
            let bytes = blocked.bytes + bytes;
            self.blocked_write.set(Some(match bytes >= PROGRESS_BYTES {
                true => BlockedWrite { progressed: Instant::now(), bytes: 0, ..blocked },
                false => BlockedWrite { bytes, ..blocked },
            }));
        }
    }

    pub(crate) fn note_write_pending(&self) {
        if self.blocked_write.get().is_none() {
            self.blocked_write.set(Some(BlockedWrite::new(Instant::now())));
        }
    }

    /// Notes that all pending bytes have been written.
    pub(crate) fn note_flushed(&self) {
        for delivery in self.deliveries.borrow_mut().drain(..) {
            delivery.complete();
        }
        if self.has_unflushed_response.replace(false) {
            self.wake_if_client_closed();
        }
        if self.blocked_write.take().is_some() {
            let now = Instant::now();
            self.last_ended.set(now);
            if let Phase::Idle(_) = self.phase.get() {
                self.phase.set(Phase::Idle(now));
            }
        }
    }

    /// Returns true if hyper is about to write its own response to a malformed request. Keeps the status of the
    /// response.
    pub(crate) fn intercepts_hyper_error(&self, written: &[u8]) -> bool {
        if self.has_unflushed_response.get() || self.streamed_bodies.get() > 0 || self.is_http2.get() {
            return false;
        }
        let status = written.starts_with(b"HTTP/1.").then(|| written.get(9..12)).flatten();
        let status = status.and_then(|status| StatusCode::from_bytes(status).ok());
        let error_status = status.filter(StatusCode::is_client_error);
        if error_status.is_some() {
            self.intercepted_status.set(error_status);
        }
        error_status.is_some()
    }

    /// Returns true if hyper's own response was intercepted and not yet replaced.
    pub(crate) fn has_intercepted_error(&self) -> bool {
        self.intercepted_status.get().is_some()
    }

    /// Takes the status of the response that was intercepted.
    pub(crate) fn take_intercepted_error(&self) -> Option<StatusCode> {
        self.intercepted_status.take()
    }

    /// Notes that a response waits for its stream. Returns an index that identifies the response until
    /// [`end_stream`](Self::end_stream).
    pub(crate) fn start_stream(&self) -> usize {
        let mut streams = self.streams.borrow_mut();
        let index = streams.iter().position(Option::is_none).unwrap_or(streams.len());
        if index == streams.len() {
            streams.push(None);
        }
        streams[index] = Some(BlockedWrite::new(self.last_ended.get()));
        index
    }

    /// Notes that a frame of a response that is being made waits for its stream. Returns an index as
    /// [`start_stream`](Self::start_stream) does.
    pub(crate) fn start_streamed_frame(&self) -> usize {
        let index = self.start_stream();
        self.streams.borrow_mut()[index] = Some(BlockedWrite::new(Instant::now()));
        index
    }

    /// Notes that the body of a response is being made while it is sent.
    pub(crate) fn begin_streamed_body(&self, is_endless: bool) {
        self.streamed_bodies.set(self.streamed_bodies.get() + 1);
        self.endless_bodies.set(self.endless_bodies.get() + u32::from(is_endless));
    }

    /// Notes the end of such a body.
    pub(crate) fn end_streamed_body(&self, is_endless: bool) {
        self.streamed_bodies.set(self.streamed_bodies.get().saturating_sub(1));
        self.endless_bodies.set(self.endless_bodies.get().saturating_sub(u32::from(is_endless)));
    }

    pub(crate) fn note_stream_progress(&self, index: usize) {
        if let Some(blocked) = &mut self.streams.borrow_mut()[index] {
            blocked.progressed = Instant::now();
        }
    }

    pub(crate) fn end_stream(&self, index: usize) {
        self.streams.borrow_mut()[index] = None;
        self.wake_if_client_closed();
        if let Phase::Idle(_) = self.phase.get() {
            self.phase.set(Phase::Idle(Instant::now()));
        }
    }

    /// Adds the capture of a response that hyper has taken in full.
    pub(crate) fn add_delivery(&self, delivery: Delivery) {
        self.deliveries.borrow_mut().push(delivery);
    }

    /// Time at which to close the connection if nothing happens until then.
    pub(crate) fn close_at(&self, limits: &Limits) -> Option<Instant> {
        let streams = self.streams.borrow();
        let write = streams
            .iter()
            .flatten()
            .chain(&self.blocked_write.get())
            .map(|blocked| blocked.close_at(limits))
            .min();
        let phase = match self.phase.get() {
            // A client that has not read the last response yet is not idle.
            Phase::Idle(_) if write.is_some() => None,
            Phase::Idle(since) => Some(since + limits.keep_alive),
            Phase::ReadingHead(since) => since.map(|since| since + limits.head),
            // A client may close its sending side and then read a long download.
            Phase::Busy if self.streamed_bodies.get() > self.endless_bodies.get() => None,
            Phase::Busy => self.client_closed_at.get().map(|since| since + CLOSED_GRACE),
        };
        [write, phase].into_iter().flatten().min()
    }

    pub(crate) fn set_unread_body(&self) {
        self.has_unread_body.set(true);
    }

    pub(crate) fn has_unread_body(&self) -> bool {
        self.has_unread_body.get()
    }

    pub(crate) fn has_client_closed(&self) -> bool {
        self.client_closed_at.get().is_some()
    }

    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut current = self.waker.borrow_mut();
        if current.is_none() {
            *current = Some(waker.clone());
        }
    }

    /// Begins a poll of the connection.
    pub(crate) fn begin_poll(&self) {
        self.first_arrival.set(None);
    }

    /// Returns true if a request of HTTP/2 may run while the connection is polled. Other connections wait meanwhile, so that
    /// requests that arrive after others have taken a while do not.
    pub(crate) fn may_run_at_once(&self, arrived: Instant) -> bool {
        let first = self.first_arrival.get().unwrap_or(arrived);
        self.first_arrival.set(Some(first));
        arrived.saturating_duration_since(first) < RUN_AT_ONCE
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Sets the session that begins with the response.
    #[cfg(feature = "websocket")]
    pub(crate) fn set_session(&self, session: StreamReceiver) {
        *self.session.borrow_mut() = Some(Box::new(session));
    }

    /// Takes the session. `None` if there is none, or the client does not have the response.
    #[cfg(feature = "websocket")]
    pub(crate) fn take_session(&self) -> Option<Box<StreamReceiver>> {
        self.session.borrow_mut().take().filter(|_| !self.has_unflushed_response.get())
    }

    pub(crate) fn set_socket(&self, socket: ClientSocket) {
        *self.socket.borrow_mut() = Some(socket);
    }

    pub(crate) fn take_socket(&self) -> Option<ClientSocket> {
        self.socket.borrow_mut().take()
    }

    /// Calls `poll` with the socket. Fails if the connection has none.
    pub(crate) fn with_socket<T>(
        &self,
        poll: impl FnOnce(Pin<&mut ClientSocket>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.socket.borrow_mut() {
            Some(socket) => poll(Pin::new(socket)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Duplicates the socket, to watch its state. The duplicate must not be read from.
    pub(crate) fn duplicate_socket(&self) -> io::Result<TcpStream> {
        match &*self.socket.borrow() {
            Some(socket) => TcpStream::from_std(socket.as_fd().try_clone_to_owned()?.into()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// Counts a request as reading its body until dropped.
pub(crate) struct BodyReadGuard<'c>(&'c Connection);

impl Drop for BodyReadGuard<'_> {
    fn drop(&mut self) {
        self.0.body_reads.set(self.0.body_reads.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_extends_the_deadline_up_to_a_limit() {
        let (stall, all) = (Duration::from_secs(60), Duration::from_secs(3600));
        let limits = Limits { write_stall: stall, write: all, ..Limits::default() };
        let began = Instant::now();
        let blocked = BlockedWrite::new(began);
        assert_eq!(blocked.close_at(&limits), began + stall);
        let later = |after: Duration| BlockedWrite { progressed: began + after, ..blocked };
        assert_eq!(later(stall / 2).close_at(&limits), began + stall / 2 + stall);
        assert_eq!(later(all - stall / 2).close_at(&limits), began + all);
        let conn = Connection::new(([127, 0, 0, 1], 1).into(), began, began);
        conn.begin_request();
        conn.end_request(Instant::now());
        conn.note_write_pending();
        let first = conn.close_at(&limits).unwrap();
        conn.note_written(PROGRESS_BYTES - 1);
        assert_eq!(conn.close_at(&limits), Some(first));
        conn.note_written(1);
        assert!(conn.close_at(&limits) > Some(first) && conn.close_at(&limits) <= Some(first + all));
    }
}
