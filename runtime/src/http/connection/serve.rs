//! One connection, from its acceptance to its close.

use std::cell::Cell;
use std::future::{pending, ready};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::StatusCode;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use super::connection_state::Connection;
use super::malformed_request;
use super::message_framing::MessageFraming;
use super::socket_io::SocketIo;
use crate::Limits;
use crate::http::request_handler::{ReceivedRequest, answer};
use crate::server::workers::worker::Worker;

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A request that asks for nothing.
const ANY: &[u8] = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";

/// The buffer for a head; a larger one gets a 431.
const BUFFER_BYTES: usize = 128 * 1024;

/// How long, and how far, a connection is read on after an answer that left part of its request unread. Closed at once,
/// the system would throw the answer away (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);

/// After this many streams that were refused or broke the rules an HTTP/2 connection ends, and all that is in flight on it.
/// A client may open many at once before it knows how many it may have, and each is refused by itself.
const REFUSED_STREAMS: usize = 10_000;

/// Serves one connection to its end.
pub(crate) async fn serve(worker: Rc<Worker>, conn: Rc<Connection>, mut socket: TcpStream) {
    let limits = &worker.service.limits;
    let Ok(Some((http2, first))) = tokio::time::timeout(limits.head, sniff(&mut socket)).await else {
        return;
    };
    conn.set_socket(socket);
    let framing = if http2 { MessageFraming::Unchecked } else { MessageFraming::START };
    let io = TokioIo::new(SocketIo::new(first, framing, Rc::clone(&conn)));
    let service = {
        let (worker, conn) = (Rc::clone(&worker), Rc::clone(&conn));
        let futures = worker.future_pool.of(answer);
        service_fn(move |request| futures.put(answer(ReceivedRequest::new(&worker, &conn, request))))
    };
    if http2 {
        conn.start_http2();
        let http = hyper::server::conn::http2::Builder::new(Local)
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .max_concurrent_streams(limits.streams)
            // What is a little too large gets an answer of ours, which says so.
            .max_header_list_size(u32::try_from(limits.header_bytes.saturating_mul(4)).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(REFUSED_STREAMS)
            .auto_date_header(false)
            .serve_connection(io, service);
        watch(http, |http| http.graceful_shutdown(), &conn, &worker).await;
    } else {
        let http = hyper::server::conn::http1::Builder::new()
            // The connection's own watch does this without a timer for each request.
            .header_read_timeout(None)
            .max_buf_size(BUFFER_BYTES)
            .auto_date_header(false)
            .serve_connection(io, service);
        let ended = watch(http, |http| http.graceful_shutdown(), &conn, &worker).await;
        let malformed = matches!(ended, Some(Err(_)));
        if let (Some(Err(error)), Some(status)) = (ended, conn.take_refused()) {
            Box::pin(answer_refused(&worker, &conn, status, &error)).await;
        }
        if let Some(socket) = conn.take_socket()
            && (malformed || conn.has_unread_body())
            && !conn.has_client_closed()
        {
            linger(socket).await;
        }
    }
    drop(conn.take_socket());
}

/// Answers what hyper refused: it writes our answer as if it were one to the shortest request there is.
async fn answer_refused(
    worker: &Rc<Worker>,
    conn: &Rc<Connection>,
    status: StatusCode,
    error: &hyper::Error,
) {
    let io = TokioIo::new(SocketIo::new(ANY.to_vec(), MessageFraming::Unchecked, Rc::clone(conn)));
    let response = Cell::new(Some(malformed_request::answer(worker, conn, status, error)));
    let service = service_fn(|_| ready(response.take().ok_or("one request")));
    let http = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .auto_date_header(false)
        .half_close(true)
        .serve_connection(io, service);
    watch(http, |http| http.graceful_shutdown(), conn, worker).await;
}

/// Whether the first bytes are those of HTTP/2, and these bytes; none if there are no more.
async fn sniff(socket: &mut TcpStream) -> Option<(bool, Vec<u8>)> {
    let mut first = Vec::with_capacity(PREFACE.len());
    loop {
        let mut rest = [0; PREFACE.len()];
        let read = socket.read(&mut rest[first.len()..]).await.ok().filter(|&read| read > 0)?;
        first.extend_from_slice(&rest[first.len()..][..read]);
        if !PREFACE.starts_with(&first) {
            return Some((false, first));
        }
        if first.len() == PREFACE.len() {
            return Some((true, first));
        }
    }
}

/// Polls a connection until it ends, or has had its time; tells it when the service stops.
async fn watch<C, E>(
    http: C,
    shut_down: fn(Pin<&mut C>),
    conn: &Connection,
    worker: &Worker,
) -> Option<Result<(), E>>
where
    C: Future<Output = Result<(), E>>,
{
    let limits: &Limits = &worker.service.limits;
    let mut http = pin!(http);
    let mut armed = conn.close_at(limits).unwrap_or_else(|| Instant::now() + limits.keep_alive);
    let mut sleep = pin!(tokio::time::sleep_until(armed.into()));
    let (mut is_set, mut told) = (false, false);
    let mut lookout = None;
    std::future::poll_fn(|cx| {
        conn.set_waker(cx.waker());
        if let Poll::Ready(result) = http.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        if !told && worker.drain.closes_connection(conn.is_busy()) {
            told = true;
            shut_down(http.as_mut());
            if let Poll::Ready(result) = http.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
        }
        while conn.needs_lookout() {
            let looks = lookout
                .get_or_insert_with(|| Box::pin(departs(conn.duplicate_socket(), conn.has_client_closed())));
            let Poll::Ready(departed) = looks.as_mut().poll(cx) else { break };
            lookout = None;
            if departed == Departed::Reset {
                return Poll::Ready(None);
            }
            conn.note_client_closed();
        }
        let due = conn.close_at(limits);
        if let Some(due) = due.filter(|due| *due < armed) {
            armed = due;
            sleep.as_mut().reset(armed.into());
            is_set = false;
        }
        while !is_set || sleep.is_elapsed() {
            if sleep.as_mut().poll(cx).is_pending() {
                is_set = true;
                break;
            }
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) {
                return Poll::Ready(None);
            }
            armed = due.unwrap_or_else(|| now + limits.keep_alive);
            sleep.as_mut().reset(armed.into());
        }
        Poll::Pending
    })
    .await
}

/// How a client has gone away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Departed {
    /// It has closed its side, and perhaps reads on.
    Closed,
    /// It has closed both, and threw away what it had not read.
    Reset,
}

/// Waits until a client goes away, whatever is unread of what it has sent; until it resets the connection, if it has
/// closed its side.
async fn departs(socket: io::Result<TcpStream>, has_closed: bool) -> Departed {
    // Without another file descriptor it is not noticed.
    let Ok(socket) = socket else { return pending().await };
    // Priority stands for data that is never sent: what is left of it is that the side is closed.
    let interest = if has_closed { Interest::ERROR } else { Interest::PRIORITY };
    let is_reset = |socket: &TcpStream| !matches!(socket.take_error(), Ok(None));
    loop {
        let ready = socket.ready(interest).await;
        match ready {
            _ if is_reset(&socket) => return Departed::Reset,
            Ok(ready) if ready.is_read_closed() && !has_closed => return Departed::Closed,
            Ok(_) => {
                // Nothing of that: wait for the next.
                let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                let _ = socket.try_io(interest, nothing);
            }
            Err(_) => return pending().await,
        }
    }
}

/// Closes one direction, and reads on until the client has closed the other.
async fn linger(mut socket: TcpStream) {
    let reading = async {
        socket.shutdown().await.ok()?;
        let mut buffer = vec![0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            let read = socket.read(&mut buffer).await.ok().filter(|&read| read > 0)?;
            left = left.saturating_sub(read);
        }
        Some(())
    };
    let _ = tokio::time::timeout(LINGER, reading).await;
}

/// Spawns what belongs to a connection where that connection is.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
