//! A server: its connection, and the interpreter of its effects.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use redis::ErrorKind;
use rustls::ClientConfig;
use zerver::effects::{BoxFuture, EffectContext, EffectResult, Interpreter, Started, points, report_point};
use zerver::prelude::*;

use crate::connect_settings::{Address, SettingsError, tls_config};
use crate::connection::{Connection, unreachable};
use crate::redis_kind::RedisCall;
use crate::reply::{RedisValue, Reply, ServerError, from_client, server_error};

/// Pause between attempts to connect during an outage.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// A Redis server, or a compatible one such as Valkey. A clone is another handle of the same connection.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    addresses: Vec<Address>,
    tls: Arc<ClientConfig>,
    connection: RwLock<Option<Connection>>,
    /// Held while a connection is opened, with the error of the latest attempt, if it failed.
    connecting: tokio::sync::Mutex<Option<EffectError>>,
    /// Number of finished attempts to open a connection.
    attempts: AtomicU64,
    is_unreachable: AtomicBool,
}

/// The reason why there is no answer.
enum Stop {
    /// The server answered with an error.
    Server(ServerError),
    Effect(EffectError),
    /// The connection was lost after the command had been passed on to be sent.
    Lost(String),
}

impl From<EffectError> for Stop {
    fn from(error: EffectError) -> Self {
        Self::Effect(error)
    }
}

impl Redis {
    /// Creates a server from a URL: `redis://user:password@host:6379/0`, `rediss://..` with TLS, or `unix:///path`. Nothing is
    /// connected until an effect needs it.
    ///
    /// # Errors
    /// If the URL is invalid.
    pub fn from_url(url: &str) -> Result<Self, SettingsError> {
        Self::from_urls([url])
    }

    /// Creates a server from the URLs of a primary and its replicas, in any order. A connection is opened to the one that is
    /// the primary at that time, so that effects follow a failover.
    ///
    /// # Errors
    /// If a URL is invalid, or there is none.
    pub fn from_urls<'u>(urls: impl IntoIterator<Item = &'u str>) -> Result<Self, SettingsError> {
        let addresses: Vec<_> = urls.into_iter().map(Address::parse).collect::<Result<_, _>>()?;
        if addresses.is_empty() {
            return Err(SettingsError::NoUrl);
        }
        Ok(Self::new(addresses, tls_config(None)?))
    }

    /// Trusts the certificates of a PEM file, in place of those that browsers trust.
    ///
    /// # Errors
    /// If the file cannot be read or has no valid certificates.
    pub fn root_certificates(self, path: impl AsRef<Path>) -> Result<Self, SettingsError> {
        Ok(Self::new(self.0.addresses.clone(), tls_config(Some(path.as_ref()))?))
    }

    fn new(addresses: Vec<Address>, tls: Arc<ClientConfig>) -> Self {
        Self(Arc::new(Inner {
            addresses,
            tls,
            connection: RwLock::new(None),
            connecting: tokio::sync::Mutex::new(None),
            attempts: AtomicU64::new(0),
            is_unreachable: AtomicBool::new(false),
        }))
    }

    /// Connects to the server, to learn at the start of a service whether it can be reached.
    ///
    /// # Errors
    /// `unreachable`, with the reason.
    pub async fn check(&self) -> Result<(), EffectError> {
        self.connection().await.map(drop)
    }

    /// Returns true unless the last attempt to open a connection failed.
    pub fn is_reachable(&self) -> bool {
        !self.0.is_unreachable.load(Ordering::Relaxed)
    }

    fn open_connection(&self) -> Option<Connection> {
        let connection = self.0.connection.read().unwrap_or_else(PoisonError::into_inner);
        connection.as_ref().filter(|connection| !connection.is_closed()).cloned()
    }

    /// Returns the connection, and opens it if necessary. Calls that arrive meanwhile share one attempt, and its error.
    async fn connection(&self) -> Result<Connection, EffectError> {
        if let Some(connection) = self.open_connection() {
            return Ok(connection);
        }
        let attempts = self.0.attempts.load(Ordering::Acquire);
        let mut latest_error = self.0.connecting.lock().await;
        if let Some(connection) = self.open_connection() {
            report_point(points::CONNECTED);
            return Ok(connection);
        }
        if self.0.attempts.load(Ordering::Acquire) != attempts
            && let Some(error) = &*latest_error
        {
            return Err(error.clone());
        }
        let opened = self.open().await;
        *latest_error = opened.as_ref().err().cloned();
        *self.0.connection.write().unwrap_or_else(PoisonError::into_inner) = opened.as_ref().ok().cloned();
        self.0.attempts.fetch_add(1, Ordering::Release);
        opened
    }

    /// Opens a connection to the primary.
    async fn open(&self) -> Result<Connection, EffectError> {
        let opened = self.open_primary().await;
        match &opened {
            Ok(_) => {
                report_point(points::CONNECTED);
                if self.0.is_unreachable.swap(false, Ordering::Relaxed) {
                    tracing::info!(target: "zerver", "the Redis server can be reached again");
                }
            }
            // Once for each outage.
            Err(error) if !self.0.is_unreachable.swap(true, Ordering::Relaxed) => {
                tracing::warn!(target: "zerver", "the Redis server cannot be reached: {}", error.message);
                tokio::spawn(watch(Arc::downgrade(&self.0)));
            }
            Err(_) => {}
        }
        opened
    }

    async fn open_primary(&self) -> Result<Connection, EffectError> {
        let mut reasons = Vec::new();
        for address in &self.0.addresses {
            match Connection::open(address, &self.0.tls).await {
                Ok(connection) if self.0.addresses.len() == 1 => return Ok(connection),
                Ok(mut connection) => match connection.send(&redis::cmd("ROLE")).await {
                    Ok(redis::Value::Array(role)) if is_primary(&role) => return Ok(connection),
                    Ok(_) => reasons.push(format!("{} is a replica", address.addr)),
                    Err(error) => reasons.push(format!("{}: {error}", address.addr)),
                },
                Err(error) => reasons.push(error.message),
            }
        }
        Err(unreachable(&reasons.join("; ")))
    }

    async fn perform(self, call: RedisCall) -> EffectResult<RedisCall> {
        let connection = if call.is_blocking() {
            // Other calls must not wait behind it. It is closed when this call ends, so that the server stops waiting, too.
            self.open().await?
        } else {
            self.connection().await?
        };
        match send(connection.clone(), &call).await {
            Ok(value) => Ok(Reply(Ok(value))),
            Err(Stop::Server(error)) => {
                if error.says_try_another_connection() {
                    connection.retire();
                }
                Ok(Reply(Err(error)))
            }
            Err(Stop::Effect(error)) => Err(error),
            Err(Stop::Lost(reason)) => {
                connection.retire();
                if call.is_safe() {
                    return Err(unreachable(&format!("the connection was lost: {reason}")));
                }
                let message = format!(
                    "the connection was lost before the answer arrived, so the command may have been performed: {reason}"
                );
                Err(EffectError::new(EffectErrorKind::UnknownOutcome, message))
            }
        }
    }
}

/// Tries to connect until it works, so that the end of an outage is noticed without a request.
fn watch(server: Weak<Inner>) -> BoxFuture<()> {
    Box::pin(async move {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            let Some(server) = server.upgrade().map(Redis) else { return };
            if server.is_reachable() || server.connection().await.is_ok() {
                return;
            }
        }
    })
}

fn is_primary(role: &[redis::Value]) -> bool {
    matches!(role.first(), Some(redis::Value::BulkString(role)) if role == b"master")
}

async fn send(mut connection: Connection, call: &RedisCall) -> Result<RedisValue, Stop> {
    let command = |words: &[crate::Arg]| {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(&*word.to_bytes());
        }
        command
    };
    match (&call.script, call.commands.as_slice()) {
        (Some(text), [words]) => send_script(connection, text, words.get(1..).unwrap_or_default()).await,
        (None, [words]) if !call.transaction => result(connection.send(&command(words)).await),
        (None, commands) if call.transaction => {
            let mut pipeline = redis::pipe();
            pipeline.atomic();
            for words in commands {
                pipeline.add_command(command(words));
            }
            result(connection.send_transaction(&pipeline).await)
        }
        _ => Err(EffectError::new(EffectErrorKind::Invalid, "several commands need a transaction").into()),
    }
}

/// Runs a script by the hash of its text, and sends the text only if the server does not know it.
async fn send_script(
    mut connection: Connection,
    text: &str,
    words: &[crate::Arg],
) -> Result<RedisValue, Stop> {
    let script = |command: &str, identity: &str| {
        let mut command = redis::cmd(command);
        command.arg(identity);
        for word in words {
            command.arg(&*word.to_bytes());
        }
        command
    };
    let by_hash = script("EVALSHA", redis::Script::new(text).get_hash());
    match result(connection.send(&by_hash).await) {
        Err(Stop::Server(error)) if error.code == "NOSCRIPT" => {
            report_point(points::PREPARED);
            result(connection.send(&script("EVAL", text)).await)
        }
        answer => answer,
    }
}

fn result(answer: redis::RedisResult<redis::Value>) -> Result<RedisValue, Stop> {
    let error = match answer {
        Ok(redis::Value::ServerError(error)) => {
            return Err(Stop::Server(server_error(error.code(), error.details())));
        }
        Ok(value) => return Ok(from_client(value)?),
        Err(error) => error,
    };
    match (error.kind(), error.code()) {
        (ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed, Some(code)) => {
            Err(Stop::Server(server_error(code, error.detail())))
        }
        (ErrorKind::Client | ErrorKind::InvalidClientConfig, _) => {
            Err(EffectError::new(EffectErrorKind::Invalid, error.to_string()).into())
        }
        _ => Err(Stop::Lost(error.to_string())),
    }
}

impl Interpreter<RedisCall> for Redis {
    fn start(&self, call: &RedisCall, _context: &EffectContext) -> Started<EffectResult<RedisCall>> {
        Started::Pending(Box::pin(self.clone().perform(call.clone())))
    }

    fn needs_runtime(&self) -> bool {
        false
    }

    fn problem(&self) -> Option<String> {
        (!self.is_reachable()).then(|| "the Redis server cannot be reached".to_owned())
    }
}

/// Shows no setting, because a password is one of them.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("is_reachable", &self.is_reachable()).finish_non_exhaustive()
    }
}

/// Several servers under their names. A service with one server registers its interpreter alone.
#[derive(Debug, Clone)]
pub struct Servers(std::collections::BTreeMap<String, Redis>);

impl Servers {
    /// Creates a set of servers with this one as the default.
    #[must_use]
    pub fn new(default: Redis) -> Self {
        Self(std::collections::BTreeMap::new()).with(crate::DEFAULT_SERVER, default)
    }

    /// Adds a server under a name, which [`on`](crate::on) selects.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, server: Redis) -> Self {
        self.0.insert(name.into(), server);
        self
    }
}

impl Interpreter<RedisCall> for Servers {
    fn start(&self, call: &RedisCall, context: &EffectContext) -> Started<EffectResult<RedisCall>> {
        match self.0.get(&*call.server) {
            Some(server) => server.start(call, context),
            None => {
                let known: Vec<_> = self.0.keys().map(String::as_str).collect();
                let message = format!("there is no server {}; there are: {}", call.server, known.join(", "));
                Started::Ready(Err(EffectError::new(EffectErrorKind::Invalid, message)))
            }
        }
    }

    fn problem(&self) -> Option<String> {
        self.0.values().find_map(Interpreter::<RedisCall>::problem)
    }
}
