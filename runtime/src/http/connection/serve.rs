//! Serves a connection from its first byte to its close.

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
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use super::client_socket::ClientSocket;
use super::connection_state::Connection;
use super::malformed_request;
use super::message_framing::MessageFraming;
use super::proxy_header::{self, Malformed};
use super::socket_io::SocketIo;
#[cfg(feature = "websocket")]
use super::upgrade;
use crate::Limits;
use crate::http::request_handler::{ReceivedRequest, answer};
use crate::platform::CLOSE_INTEREST;
use crate::server::workers::worker::Worker;

/// First bytes of an HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A minimal request, which stands in for a malformed one.
const MINIMAL_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";

/// Size of the buffer for a head. A larger head is rejected with 431.
const BUFFER_BYTES: usize = 128 * 1024;

/// Limits, in time and bytes, on reading a connection after a response to a request that was not read in full. If the
/// connection were closed at once, the system would discard the response (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// Interval between pings to an HTTP/2 client, and time in which the client must reply.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Number of refused or invalid streams after which an HTTP/2 connection is closed, with all its requests in flight.
/// The number is high because a client may open many streams before it learns the limit, and each is refused
/// separately.
const MAX_REFUSED_STREAMS: usize = 10_000;

/// Has hyper format its first date on this thread. hyper does so at each poll of an HTTP/1 connection, although the service
/// sends dates of its own, and panics at a time before 1970 unless it has formatted a later one. The clock was checked when
/// the service started, so that setting it back afterwards does no harm.
pub(crate) async fn initialize_date() {
    let service = service_fn(|_| ready(Err::<http::Response<String>, _>("no request")));
    // The connection ends at once, because it has no bytes.
    let http = hyper::server::conn::http1::Builder::new();
    let _ = http.serve_connection(TokioIo::new(tokio::io::empty()), service).await;
}

/// Serves one connection to its end.
pub(crate) async fn serve(worker: Rc<Worker>, conn: Rc<Connection>, socket: TcpStream) {
    let limits = &worker.service.limits;
    let Ok(Some((socket, is_http2, first))) =
        tokio::time::timeout(limits.head, open(&worker, &conn, socket)).await
    else {
        return;
    };
    conn.set_socket(socket);
    let framing = if is_http2 { MessageFraming::Unchecked } else { MessageFraming::START };
    let io = TokioIo::new(SocketIo::new(first, framing, Rc::clone(&conn)));
    let service = {
        let (worker, conn) = (Rc::clone(&worker), Rc::clone(&conn));
        let futures = worker.future_pool.get_or_init(answer);
        service_fn(move |request| {
            let received = ReceivedRequest::new(&worker, &conn, request);
            // hyper polls a request of HTTP/1 right after this. One of HTTP/2 has a task of its own, which runs once hyper has
            // read all others that have arrived.
            match is_http2 && conn.may_run_at_once(received.arrived()) {
                true => futures.insert_and_poll(answer(received)),
                false => futures.insert(answer(received)),
            }
        })
    };
    if is_http2 {
        conn.start_http2();
        let http = hyper::server::conn::http2::Builder::new(LocalExecutor)
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_concurrent_streams(limits.streams)
            // Headers that are only somewhat too large are rejected by the service, with a response that explains why.
            .max_header_list_size(u32::try_from(limits.header_bytes.saturating_mul(4)).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(MAX_REFUSED_STREAMS)
            .auto_date_header(false)
            .serve_connection(io, service);
        watch(pin!(http), |http| http.graceful_shutdown(), &conn, &worker).await;
    } else {
        let mut http = hyper::server::conn::http1::Builder::new()
            // `watch` enforces this timeout without a timer for each request.
            .header_read_timeout(None)
            .max_buf_size(BUFFER_BYTES)
            .auto_date_header(false)
            .serve_connection(io, service);
        let ended = watch(Pin::new(&mut http), |http| http.graceful_shutdown(), &conn, &worker).await;
        #[cfg(feature = "websocket")]
        if let (Some(Ok(())), Some(session)) = (&ended, conn.take_session()) {
            return Box::pin(upgrade::run(*session, &conn, http.into_parts())).await;
        }
        let is_malformed = matches!(ended, Some(Err(_)));
        if let (Some(Err(error)), Some(status)) = (ended, conn.take_intercepted_error()) {
            Box::pin(answer_malformed(&worker, &conn, status, &error)).await;
        }
        if let Some(socket) = conn.take_socket()
            && (is_malformed || conn.has_unread_body())
            && !conn.has_client_closed()
        {
            linger(socket).await;
        }
    }
    drop(conn.take_socket());
}

/// Answers a request that hyper could not parse. hyper writes the response as if it had received a minimal request.
async fn answer_malformed(
    worker: &Rc<Worker>,
    conn: &Rc<Connection>,
    status: StatusCode,
    error: &hyper::Error,
) {
    let io =
        TokioIo::new(SocketIo::new(MINIMAL_REQUEST.to_vec(), MessageFraming::Unchecked, Rc::clone(conn)));
    let response = Cell::new(Some(malformed_request::answer(worker, conn, status, error)));
    let service = service_fn(|_| ready(response.take().ok_or("one request")));
    let http = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .auto_date_header(false)
        .half_close(true)
        .serve_connection(io, service);
    watch(pin!(http), |http| http.graceful_shutdown(), conn, worker).await;
}

/// Reads what a proxy says about the client, if it has to, performs the handshake if the service uses TLS, and reads the first bytes. They tell HTTP/2 from HTTP/1, whatever the client
/// has negotiated. `None` if the client closes the connection first, or the handshake fails.
async fn open(
    worker: &Worker,
    conn: &Connection,
    mut socket: TcpStream,
) -> Option<(ClientSocket, bool, Vec<u8>)> {
    if let Some(proxies) = &worker.service.proxies
        && proxies.announces_clients(conn.peer())
    {
        match proxy_header::read(&mut socket).await {
            Ok(client) => client.into_iter().for_each(|client| conn.set_peer(client)),
            Err(Malformed) => {
                worker.thread_status.count_malformed();
                return None;
            }
        }
    }
    #[cfg(feature = "tls")]
    if let Some(certificates) = &worker.service.certificates {
        let mut socket = Box::pin(crate::tls::accept(certificates, socket)).await?;
        let (is_http2, first) = detect_protocol(&mut socket).await?;
        return Some((ClientSocket::Tls(socket), is_http2, first));
    }
    let (is_http2, first) = detect_protocol(&mut socket).await?;
    Some((ClientSocket::Plain(socket), is_http2, first))
}

/// Reads the first bytes of a connection. Returns true for HTTP/2, and the bytes read. `None` if the client closes the
/// connection first.
async fn detect_protocol(socket: &mut (impl AsyncRead + Unpin)) -> Option<(bool, Vec<u8>)> {
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

/// Polls a connection until it ends or reaches a time limit. Shuts it down when the service stops.
async fn watch<C, E>(
    mut http: Pin<&mut C>,
    shut_down: fn(Pin<&mut C>),
    conn: &Connection,
    worker: &Worker,
) -> Option<Result<(), E>>
where
    C: Future<Output = Result<(), E>>,
{
    let limits: &Limits = &worker.service.limits;
    let mut armed = conn.close_at(limits).unwrap_or_else(|| Instant::now() + limits.keep_alive);
    let mut sleep = pin!(tokio::time::sleep_until(armed.into()));
    let (mut is_timer_set, mut is_shutting_down) = (false, false);
    let mut close_watch = None;
    std::future::poll_fn(|cx| {
        conn.set_waker(cx.waker());
        conn.begin_poll();
        if let Poll::Ready(result) = http.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        if !is_shutting_down && worker.drain.closes_connection(conn.is_busy()) {
            is_shutting_down = true;
            shut_down(http.as_mut());
            if let Poll::Ready(result) = http.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
        }
        while conn.needs_close_watch() {
            let waiting = close_watch.get_or_insert_with(|| {
                Box::pin(wait_for_close(conn.duplicate_socket(), conn.has_client_closed()))
            });
            let Poll::Ready(close) = waiting.as_mut().poll(cx) else { break };
            close_watch = None;
            if close == ClientClose::Reset {
                return Poll::Ready(None);
            }
            conn.note_client_closed();
        }
        let due = conn.close_at(limits);
        if let Some(due) = due.filter(|due| *due < armed) {
            armed = due;
            sleep.as_mut().reset(armed.into());
            is_timer_set = false;
        }
        while !is_timer_set || sleep.is_elapsed() {
            if sleep.as_mut().poll(cx).is_pending() {
                is_timer_set = true;
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

/// Way in which a client has closed its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientClose {
    /// The client closed its sending side and may still read.
    SendingSide,
    /// The client closed both sides and discarded what it had not read.
    Reset,
}

/// Waits until the client closes its sending side or resets the connection, even if bytes that it has sent are unread.
/// If the sending side is already closed, waits for a reset only.
async fn wait_for_close(socket: io::Result<TcpStream>, has_closed: bool) -> ClientClose {
    // Without a second file descriptor, a close goes unnoticed.
    let Ok(socket) = socket else { return pending().await };
    let interest = if has_closed { Interest::ERROR } else { CLOSE_INTEREST };
    let is_reset = |socket: &TcpStream| !matches!(socket.take_error(), Ok(None));
    loop {
        let ready = socket.ready(interest).await;
        match ready {
            _ if is_reset(&socket) => return ClientClose::Reset,
            Ok(ready) if ready.is_read_closed() && !has_closed => return ClientClose::SendingSide,
            Ok(_) => {
                // Neither has happened. Clear the readiness to wait for the next event.
                let would_block = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                let _ = socket.try_io(interest, would_block);
            }
            Err(_) => return pending().await,
        }
    }
}

/// Closes the sending side, and reads until the client closes its own or a limit is reached.
async fn linger(mut socket: ClientSocket) {
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

/// Executor that spawns the tasks of a connection on the thread of that connection.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
