//! A connection, which many calls use at the same time: their commands are sent one after another without waiting, and
//! the answers come back in the same order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{AsyncConnectionConfig, ConnectionAddr};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use zerver::prelude::*;

use crate::connect_settings::{Address, CONNECT_TIMEOUT};

/// Number of commands that may wait to be written.
const WRITE_QUEUE: usize = 1024;

/// Time after which an idle connection is probed, so that a peer that has vanished is noticed.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Time without any answer after which a connection on which a call gave up is no longer used.
const SILENCE: Duration = Duration::from_secs(1);

/// A connection. A clone shares it, and it is closed with the last one.
#[derive(Clone)]
pub(crate) struct Connection {
    client: MultiplexedConnection,
    state: Arc<State>,
}

struct State {
    /// True as soon as nothing can be sent any more.
    is_closed: Arc<AtomicBool>,
    opened: Instant,
    /// Time of the latest answer, in milliseconds since the connection was opened.
    answered_ms: AtomicU64,
    driver: JoinHandle<()>,
}

impl Drop for State {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Opens a connection and logs in.
    pub(crate) async fn open(address: &Address, tls: &Arc<ClientConfig>) -> Result<Self, EffectError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, connect(address, tls)).await {
            Ok(connection) => connection,
            Err(_) => {
                Err(unreachable(&format!("no connection to {} within {CONNECT_TIMEOUT:?}", address.addr)))
            }
        }
    }

    /// Returns true if nothing can be sent any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.is_closed.load(Ordering::Acquire)
    }

    /// Stops further calls from using the connection.
    pub(crate) fn retire(&self) {
        self.state.is_closed.store(true, Ordering::Release);
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn send(&mut self, command: &redis::Cmd) -> redis::RedisResult<redis::Value> {
        let mut waiting = Waiting::new(&self.state);
        let answer = self.client.req_packed_command(command).await;
        waiting.has_answer = true;
        answer
    }

    /// Sends a transaction and waits for its answers.
    pub(crate) async fn send_transaction(
        &mut self,
        commands: &redis::Pipeline,
    ) -> redis::RedisResult<redis::Value> {
        let mut waiting = Waiting::new(&self.state);
        // The answers to MULTI and to each command say that it was queued. The one to EXEC has the results.
        let answers = self.client.req_packed_commands(commands, commands.len() + 1, 1).await;
        waiting.has_answer = true;
        answers.map(|mut answers| answers.pop().unwrap_or(redis::Value::Nil))
    }
}

/// A call that waits for its answer. If it gives up after the server has been silent for long, the connection may be dead
/// without anyone having noticed, and is not used for further calls.
struct Waiting {
    state: Arc<State>,
    began: Instant,
    has_answer: bool,
}

impl Waiting {
    fn new(state: &Arc<State>) -> Self {
        Self { state: Arc::clone(state), began: Instant::now(), has_answer: false }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let state = &self.state;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if self.has_answer {
            state.answered_ms.fetch_max(millis(state.opened.elapsed()), Ordering::Relaxed);
            return;
        }
        let began_ms = millis(self.began.duration_since(state.opened));
        if self.began.elapsed() >= SILENCE && state.answered_ms.load(Ordering::Relaxed) <= began_ms {
            state.is_closed.store(true, Ordering::Release);
        }
    }
}

async fn connect(address: &Address, tls: &Arc<ClientConfig>) -> Result<Connection, EffectError> {
    let failed = |error: io::Error| unreachable(&format!("cannot connect to {}: {error}", address.addr));
    match &address.addr {
        ConnectionAddr::Unix(path) => log_in(address, UnixStream::connect(path).await.map_err(failed)?).await,
        ConnectionAddr::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
            SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(failed)?;
            if !address.uses_tls {
                return log_in(address, stream).await;
            }
            let name = ServerName::try_from(host.clone()).map_err(|error| unreachable(&error.to_string()))?;
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(tls));
            log_in(address, connector.connect(name, stream).await.map_err(failed)?).await
        }
        other => Err(unreachable(&format!("cannot connect to {other}"))),
    }
}

async fn log_in(
    address: &Address,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Connection, EffectError> {
    // The limits of the effects apply.
    let config =
        AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(WRITE_QUEUE);
    let connecting = MultiplexedConnection::new_with_config(&address.login, stream, config);
    let (client, driver) = connecting.await.map_err(|error| {
        // The detail of the server never contains the password.
        unreachable(&format!("cannot log in to {}: {error}", address.addr))
    })?;
    let is_closed = Arc::new(AtomicBool::new(false));
    let closed = Arc::clone(&is_closed);
    let driver = tokio::spawn(async move {
        driver.await;
        closed.store(true, Ordering::Release);
    });
    let state = State { is_closed, opened: Instant::now(), answered_ms: AtomicU64::new(0), driver };
    Ok(Connection { client, state: Arc::new(state) })
}

pub(crate) fn unreachable(reason: &str) -> EffectError {
    EffectError::new(EffectErrorKind::Unreachable, reason)
}
