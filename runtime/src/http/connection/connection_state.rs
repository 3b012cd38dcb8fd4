//! What a connection is doing, and until when it may: the time limits that hyper leaves out.
//!
//! No timer is set for a request. The phases are noted as they change, with times that are known anyway, and one timer
//! for each connection, moved only when it fires, looks at them.

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

use super::message_framing::BodyFraming;
use crate::Limits;
use crate::execution::delivery::Delivery;

/// So many bytes of an answer count as progress.
const PROGRESS_BYTES: usize = 16 * 1024;

/// How long an answer may still take once the client has closed its side. It may have closed only that, and read on (RFC
/// 9112, section 9.6).
const CLOSED_GRACE: Duration = Duration::from_millis(250);

/// One connection.
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    /// When it was accepted, and when its worker has opened it; none once a request of it has arrived.
    opened: Cell<Option<(Instant, Instant)>>,
    /// Whether HTTP/2 is spoken: frames come and go then, and only requests count.
    http2: Cell<bool>,
    phase: Cell<Phase>,
    requests: Cell<u32>,
    /// Since when the client has not read what it was sent.
    blocked: Cell<Option<Unread>>,
    /// HTTP/2: the same for each answer that waits for its stream.
    streams: RefCell<Vec<Option<Unread>>>,
    /// When a request of it last ended.
    ended: Cell<Instant>,
    /// Whether part of a body was left unread.
    unread: Cell<bool>,
    /// Since when the client has closed its side.
    closed: Cell<Option<Instant>>,
    /// Whether hyper waits for more to read, and so learns when the client closes its side.
    reads: Cell<bool>,
    /// HTTP/1: what body the request has whose head has just been read.
    body_framing: Cell<Option<BodyFraming>>,
    /// Of how many requests the body is being read.
    reads_body: Cell<u32>,
    /// Whether an answer of ours may not have been written yet.
    owed: Cell<bool>,
    /// What hyper answered by itself to what is no request; kept from the client, so that it gets an answer of ours.
    refused: Cell<Option<StatusCode>>,
    waker: RefCell<Option<Waker>>,
    /// The captures of responses that hyper has taken and that may not have been written yet.
    deliveries: RefCell<SmallVec<[Delivery; 1]>>,
    /// The socket; hyper has it lent by [`SocketIo`](super::socket_io::SocketIo).
    socket: RefCell<Option<TcpStream>>,
}

/// What a client leaves unread.
#[derive(Debug, Clone, Copy)]
struct Unread {
    began: Instant,
    /// When there was progress, and how many bytes it has read since.
    since: Instant,
    bytes: usize,
}

impl Unread {
    const fn since(began: Instant) -> Self {
        Self { began, since: began, bytes: 0 }
    }

    /// When it is to be given up.
    fn close_at(&self, limits: &Limits) -> Instant {
        (self.since + limits.write_stall).min(self.began + limits.write)
    }
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Waits for a request.
    Idle(Instant),
    /// The first bytes of a request are there; since when it is known that this is not all.
    ReadingHead(Option<Instant>),
    /// Requests are in flight.
    Busy,
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr, accepted: Instant, now: Instant) -> Self {
        Self {
            peer,
            opened: Cell::new(Some((accepted, now))),
            http2: Cell::new(false),
            phase: Cell::new(Phase::ReadingHead(Some(now))),
            requests: Cell::new(0),
            blocked: Cell::new(None),
            streams: RefCell::default(),
            ended: Cell::new(now),
            unread: Cell::new(false),
            closed: Cell::new(None),
            reads: Cell::new(false),
            body_framing: Cell::new(None),
            reads_body: Cell::new(0),
            owed: Cell::new(false),
            refused: Cell::new(None),
            waker: RefCell::default(),
            deliveries: RefCell::default(),
            socket: RefCell::default(),
        }
    }

    /// When it was accepted and when it was opened, for the first request of it.
    pub(crate) fn take_opened(&self) -> Option<(Instant, Instant)> {
        self.opened.take()
    }

    /// Since when it waits for a request; none where requests overlap.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (!self.http2.get()).then(|| self.ended.get())
    }

    /// A request's head has arrived.
    pub(crate) fn begin_request(&self) {
        self.requests.set(self.requests.get() + 1);
        self.phase.set(Phase::Busy);
    }

    /// That request has ended.
    pub(crate) fn end_request(&self, now: Instant) {
        self.ended.set(now);
        self.owed.set(true);
        self.requests.set(self.requests.get().saturating_sub(1));
        if self.requests.get() == 0 {
            self.phase.set(Phase::Idle(now));
        }
        self.recheck_client_close();
    }

    /// The request whose head has just been read has such a body.
    pub(crate) fn set_body_framing(&self, body_framing: BodyFraming) {
        self.body_framing.set(Some(body_framing));
    }

    pub(crate) fn take_body_framing(&self) -> Option<BodyFraming> {
        self.body_framing.take()
    }

    /// The body of a request is being read, until what is returned is dropped.
    pub(crate) fn start_body_read(&self) -> BodyReadGuard<'_> {
        self.reads_body.set(self.reads_body.get() + 1);
        BodyReadGuard(self)
    }

    /// How many requests it waits to have answered.
    pub(crate) fn in_flight(&self) -> u32 {
        self.requests.get()
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.requests.get() > 0
    }

    /// The client speaks HTTP/2.
    pub(crate) fn start_http2(&self) {
        self.http2.set(true);
        self.phase.set(Phase::Idle(Instant::now()));
    }

    pub(crate) fn note_read(&self) {
        self.reads.set(false);
        if let Phase::Idle(_) = self.phase.get()
            && !self.http2.get()
        {
            self.phase.set(Phase::ReadingHead(None));
        }
    }

    pub(crate) fn note_read_waits(&self) {
        self.reads.set(true);
        if let Phase::ReadingHead(None) = self.phase.get() {
            self.phase.set(Phase::ReadingHead(Some(Instant::now())));
        }
    }

    /// The client has closed its side. Whether that is to be kept from hyper for now, which would drop what is to be
    /// answered.
    pub(crate) fn note_client_closed(&self) -> bool {
        if self.closed.get().is_none() {
            self.closed.set(Some(Instant::now()));
            if self.http2.get() {
                // Of requests that have just been read hyper makes something only once there is no more to read.
                self.wake();
                return true;
            }
        }
        self.hides_client_close()
    }

    /// Whether the client has closed its side, and hyper is not to know of it yet.
    pub(crate) fn hides_client_close(&self) -> bool {
        self.closed.get().is_some()
            && (self.is_busy() || self.owed.get() || self.streams.borrow().iter().any(Option::is_some))
    }

    /// Hyper may learn now that the client has closed its side.
    fn recheck_client_close(&self) {
        if self.closed.get().is_some() {
            self.wake();
        }
    }

    /// Whether nothing reads that would notice how the client goes away: hyper reads no further than it needs. Then its
    /// socket is to be looked at.
    pub(crate) fn needs_lookout(&self) -> bool {
        self.is_busy() && self.reads_body.get() == 0 && (!self.reads.get() || self.closed.get().is_some())
    }

    pub(crate) fn note_written(&self, bytes: usize) {
        if let Some(unread) = self.blocked.get() {
            let bytes = unread.bytes + bytes;
            self.blocked.set(Some(match bytes >= PROGRESS_BYTES {
                true => Unread { since: Instant::now(), bytes: 0, ..unread },
                false => Unread { bytes, ..unread },
            }));
        }
    }

    pub(crate) fn note_write_waits(&self) {
        if self.blocked.get().is_none() {
            self.blocked.set(Some(Unread::since(Instant::now())));
        }
    }

    /// All that there was to write has been.
    pub(crate) fn note_flushed(&self) {
        for delivery in self.deliveries.borrow_mut().drain(..) {
            delivery.complete();
        }
        if self.owed.replace(false) {
            self.recheck_client_close();
        }
        if self.blocked.take().is_some() {
            let now = Instant::now();
            self.ended.set(now);
            if let Phase::Idle(_) = self.phase.get() {
                self.phase.set(Phase::Idle(now));
            }
        }
    }

    /// Whether these bytes, which are to be written, are an answer that hyper gives by itself to what is no request.
    pub(crate) fn intercepts_refusal(&self, written: &[u8]) -> bool {
        if self.owed.get() || self.http2.get() {
            return false;
        }
        let status = written.starts_with(b"HTTP/1.").then(|| written.get(9..12)).flatten();
        let status = status.and_then(|status| StatusCode::from_bytes(status).ok());
        let refused = status.filter(StatusCode::is_client_error);
        if refused.is_some() {
            self.refused.set(refused);
        }
        refused.is_some()
    }

    /// Whether an answer of ours is still to come in place of hyper's.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.get().is_some()
    }

    /// With which status hyper refused what it could not read.
    pub(crate) fn take_refused(&self) -> Option<StatusCode> {
        self.refused.take()
    }

    /// An answer begins to wait for its stream; what it is called from now on.
    pub(crate) fn start_stream(&self) -> usize {
        let mut streams = self.streams.borrow_mut();
        let at = streams.iter().position(Option::is_none).unwrap_or(streams.len());
        if at == streams.len() {
            streams.push(None);
        }
        streams[at] = Some(Unread::since(self.ended.get()));
        at
    }

    pub(crate) fn note_stream_progress(&self, at: usize) {
        if let Some(unread) = &mut self.streams.borrow_mut()[at] {
            unread.since = Instant::now();
        }
    }

    pub(crate) fn end_stream(&self, at: usize) {
        self.streams.borrow_mut()[at] = None;
        self.recheck_client_close();
        if let Phase::Idle(_) = self.phase.get() {
            self.phase.set(Phase::Idle(Instant::now()));
        }
    }

    /// hyper has all of a response.
    pub(crate) fn add_delivery(&self, delivery: Delivery) {
        self.deliveries.borrow_mut().push(delivery);
    }

    /// When it is to be closed if nothing happens until then.
    pub(crate) fn close_at(&self, limits: &Limits) -> Option<Instant> {
        let streams = self.streams.borrow();
        let unread =
            streams.iter().flatten().chain(&self.blocked.get()).map(|unread| unread.close_at(limits)).min();
        let phase = match self.phase.get() {
            // Whoever has not read the last answer yet is not idle.
            Phase::Idle(_) if unread.is_some() => None,
            Phase::Idle(since) => Some(since + limits.keep_alive),
            Phase::ReadingHead(since) => since.map(|since| since + limits.head),
            Phase::Busy => self.closed.get().map(|since| since + CLOSED_GRACE),
        };
        [unread, phase].into_iter().flatten().min()
    }

    pub(crate) fn set_unread(&self) {
        self.unread.set(true);
    }

    pub(crate) fn has_unread_body(&self) -> bool {
        self.unread.get()
    }

    pub(crate) fn has_client_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if known.is_none() {
            *known = Some(waker.clone());
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The connection has this socket from now on.
    pub(crate) fn set_socket(&self, socket: TcpStream) {
        *self.socket.borrow_mut() = Some(socket);
    }

    pub(crate) fn take_socket(&self) -> Option<TcpStream> {
        self.socket.borrow_mut().take()
    }

    /// Lends the socket.
    pub(crate) fn with_socket<T>(
        &self,
        lent: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.socket.borrow_mut() {
            Some(socket) => lent(Pin::new(socket)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// The same socket once more, to look at and not to read from.
    pub(crate) fn duplicate_socket(&self) -> io::Result<TcpStream> {
        match &*self.socket.borrow() {
            Some(socket) => TcpStream::from_std(socket.as_fd().try_clone_to_owned()?.into()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// Says that the body of a request is being read.
pub(crate) struct BodyReadGuard<'c>(&'c Connection);

impl Drop for BodyReadGuard<'_> {
    fn drop(&mut self) {
        self.0.reads_body.set(self.0.reads_body.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_gives_more_time_and_not_without_end() {
        let (stall, all) = (Duration::from_secs(60), Duration::from_secs(3600));
        let limits = Limits { write_stall: stall, write: all, ..Limits::default() };
        let began = Instant::now();
        let unread = Unread::since(began);
        assert_eq!(unread.close_at(&limits), began + stall);
        let later = |after: Duration| Unread { since: began + after, ..unread };
        assert_eq!(later(stall / 2).close_at(&limits), began + stall / 2 + stall);
        assert_eq!(later(all - stall / 2).close_at(&limits), began + all);
        let conn = Connection::new(([127, 0, 0, 1], 1).into(), began, began);
        conn.begin_request();
        conn.end_request(Instant::now());
        conn.note_write_waits();
        let first = conn.close_at(&limits).unwrap();
        conn.note_written(PROGRESS_BYTES - 1);
        assert_eq!(conn.close_at(&limits), Some(first));
        conn.note_written(1);
        assert!(conn.close_at(&limits) > Some(first) && conn.close_at(&limits) <= Some(first + all));
    }
}
