//! Client that sends requests and pools its connections.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::header::{self, HeaderName, HeaderValue};
use ::http::uri::Scheme;
use ::http::{HeaderMap, Method, Uri};
use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime;
use zerver_engine::{EffectError, EffectKind};
use zerver_trace::PolicyDecision;

use super::connector::{TimeLimited, check_host, host_and_port};
use super::error_mapping::{body_error, invalid, is_keep_alive_race, refused, request_error, too_large};
use super::resolver::HostResolver;
use super::tracked_stream::ConnectionUse;
use super::{BODY_LIMIT, Header, Reply, Request, RootsError, tls_config};
use crate::effects::effect_points::report_decision;
use crate::effects::interpreter::{CallNumbers, EffectContext, EffectResult, Interpreter, Started};
use crate::effects::outbound::Outbound;
use crate::effects::{points, report_point};

/// The interpreter of `http` effects. Over TLS, the server chooses between HTTP/1.1 and HTTP/2; without TLS, it is
/// HTTP/1.1.
///
/// Connections are pooled for the requests of all workers. They belong to the effect runtime, so that no request waits
/// for a step of another. The client does not follow redirects, does not use a proxy, and sends nothing besides the
/// request, its `host`, and the trace context of the incoming request (`traceparent` with the call as the parent,
/// `tracestate`, and `baggage` to the hosts of the setting `egress.baggage`), unless the request contains its own.
///
/// ```
/// use std::time::Duration;
/// use zerver::effects::http;
/// use zerver::prelude::*;
///
/// let client = http::Client::builder().connect_timeout(Duration::from_secs(1)).build();
/// let app = App::new().interpreter(client);
/// ```
#[derive(Clone)]
pub struct Client(Arc<Settings>);

struct Settings {
    tls: Arc<ClientConfig>,
    names: Arc<BTreeMap<String, SocketAddr>>,
    connect_timeout: Duration,
    idle_timeout: Duration,
    body_limit: u64,
    pools: Pools,
    /// Rules and time limits from the settings of the service.
    outbound: Arc<ArcSwap<Outbound>>,
}

/// Builds a [`Client`].
#[derive(Debug)]
pub struct ClientBuilder {
    roots: RootCertStore,
    names: BTreeMap<String, SocketAddr>,
    connect_timeout: Duration,
    idle_timeout: Duration,
    body_limit: u64,
}

impl Client {
    /// Creates a client that trusts the authorities that browsers trust.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Starts building a client with other settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            roots: tls_config::roots(),
            names: BTreeMap::new(),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(20),
            body_limit: BODY_LIMIT,
        }
    }
}

impl ClientBuilder {
    /// Adds trusted authorities: certificates in PEM.
    ///
    /// # Errors
    /// A [`RootsError`] if the text contains no valid certificates.
    pub fn trust(mut self, pem: &[u8]) -> Result<Self, RootsError> {
        tls_config::add(&mut self.roots, pem)?;
        Ok(self)
    }

    /// Sets the address of a host, including the port, unless a URL names another port.
    ///
    /// A step can then request `http://identity.internal/verify` wherever that host is today, and recorded requests
    /// stay the same.
    #[must_use]
    pub fn resolve(mut self, host: &str, address: SocketAddr) -> Self {
        self.names.insert(host.to_ascii_lowercase(), address);
        self
    }

    /// Sets the time limit for a new connection, from the name lookup to the end of the handshake. The default is 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the time after which an unused connection is closed. The default is 20 s.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets the maximum length of the body of a reply, in bytes. The default is [`BODY_LIMIT`]. A request can set
    /// another limit.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Builds the client.
    pub fn build(self) -> Client {
        Client(Arc::new(Settings {
            tls: Arc::new(tls_config::config(self.roots)),
            names: Arc::new(self.names),
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
            body_limit: self.body_limit,
            pools: Pools::default(),
            outbound: Arc::default(),
        }))
    }
}

/// Maximum number of runtimes for which connections are kept.
const MAX_RUNTIMES: usize = 8;

type Connections = legacy::Client<TimeLimited<HttpsConnector<HttpConnector<HostResolver>>>, Full<Bytes>>;

/// Connections by the runtime on which they were opened, because their tasks end with it. A service has a single such
/// runtime, which performs all effects.
#[derive(Default)]
struct Pools(Mutex<VecDeque<(runtime::Id, Connections)>>);

impl Pools {
    /// Returns the connections of the current runtime, which are created by `create` on first use.
    fn current(&self, create: impl FnOnce() -> Connections) -> Connections {
        let current = runtime::Handle::current().id();
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connections)) = pools.iter().find(|(runtime, _)| *runtime == current) {
            return connections.clone();
        }
        // The end of a runtime is not reported, so the oldest pools are dropped.
        pools.truncate(MAX_RUNTIMES - 1);
        let connections = create();
        pools.push_front((current, connections.clone()));
        connections
    }
}

impl Settings {
    /// Checks that the service may call the host of a request, as far as this can be known before its name is resolved.
    fn allowed<T>(
        &self,
        host: String,
        request: ::http::Request<T>,
    ) -> Result<(String, ::http::Request<T>), EffectError> {
        let outbound = self.outbound.load();
        if !outbound.is_open() {
            let (name, port) = host_and_port(request.uri());
            check_host(&outbound, &name, port).map_err(|error| refused(&error))?;
        }
        Ok((host, request))
    }

    /// Adds the baggage of the incoming request if the host may have it, and unless the outgoing request contains its own.
    fn with_baggage<T>(
        &self,
        context: &EffectContext,
        host: String,
        mut request: ::http::Request<T>,
    ) -> (String, ::http::Request<T>) {
        const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
        if let Some(baggage) = &context.baggage {
            let (name, port) = host_and_port(request.uri());
            let value = HeaderValue::try_from(&**baggage).ok();
            if let Some(value) = value.filter(|_| self.outbound.load().passes_baggage(&name, port)) {
                request.headers_mut().entry(BAGGAGE).or_insert(value);
            }
        }
        (host, request)
    }

    fn connections(&self) -> Connections {
        let mut tcp = HttpConnector::new_with_resolver(HostResolver::new(
            Arc::clone(&self.names),
            Arc::clone(&self.outbound),
        ));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // hyper divides this time among the addresses of a host, so that an unreachable address does not use all of it.
        tcp.set_connect_timeout(Some(self.connect_timeout));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config((*self.tls).clone())
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(self.idle_timeout)
            .build(TimeLimited {
                connector,
                limit: self.connect_timeout,
                outbound: Arc::clone(&self.outbound),
            })
    }
}

impl Interpreter<Request> for Client {
    fn start(&self, request: &Request, context: &EffectContext) -> Started<EffectResult<Request>> {
        self.start_numbered(request, context, CallNumbers::default())
    }

    fn start_numbered(
        &self,
        request: &Request,
        context: &EffectContext,
        call: CallNumbers,
    ) -> Started<EffectResult<Request>> {
        let client = Arc::clone(&self.0);
        let limit = request.body_limit.unwrap_or(client.body_limit);
        match prepare(request, context, call)
            .map(|(host, out)| client.with_baggage(context, host, out))
            .and_then(|(host, out)| client.allowed(host, out))
        {
            Ok((host, out)) => {
                let again = request.is_idempotent().then(|| out.clone());
                Started::Pending(Box::pin(async move {
                    // Called within the future, because the connection will live on the runtime that polls it.
                    let connections = client.pools.current(|| client.connections());
                    let reply = match (connections.request(out).await, again) {
                        (Err(error), Some(again)) if is_keep_alive_race(&error) => {
                            report_decision(PolicyDecision::Resent);
                            connections.request(again).await
                        }
                        (reply, _) => reply,
                    };
                    let reply = reply.map_err(|error| request_error(&host, &error))?;
                    report_point(points::FIRST_BYTE);
                    if let Some(connection_use) = reply.extensions().get::<ConnectionUse>() {
                        connection_use.answered();
                    }
                    read_reply(&host, reply, limit).await
                }))
            }
            Err(error) => Started::Ready(Err(error)),
        }
    }

    fn configure(&self, outbound: &Arc<Outbound>) {
        self.0.outbound.store(Arc::clone(outbound));
    }
}

/// Headers that determine the framing of a message. A request must not set them, because contradictory framing enables
/// request smuggling (RFC 9112, section 11.2).
const FRAMING_HEADERS: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
];

const IDEMPOTENCY_KEY: &str = "idempotency-key";

fn prepare(
    request: &Request,
    context: &EffectContext,
    call: CallNumbers,
) -> Result<(String, ::http::Request<Full<Bytes>>), EffectError> {
    let uri: Uri = request.url.parse().map_err(|error| invalid(format!("not a URL: {error}")))?;
    let authority = uri.authority().ok_or_else(|| invalid("the URL has no host"))?;
    let host = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => authority.as_str().to_owned(),
        _ => return Err(invalid("the URL must start with http:// or https://")),
    };
    if host.contains('@') {
        return Err(invalid("the URL contains credentials; send them in a header"));
    }
    let method = Method::from_bytes(request.method.as_bytes())
        .ok()
        .filter(|method| *method != Method::CONNECT)
        .ok_or_else(|| invalid(format!("{host}: method not allowed: {:?}", request.method)))?;
    let mut out = ::http::Request::new(Full::new(request.body.clone()));
    *out.method_mut() = method;
    *out.uri_mut() = uri;
    for Header { name, value } in &request.headers {
        let invalid_header = || invalid(format!("{host}: header not allowed: {name:?}"));
        let name = HeaderName::try_from(name.as_str()).map_err(|_| invalid_header())?;
        if FRAMING_HEADERS.contains(&name) {
            return Err(invalid_header());
        }
        let value = HeaderValue::from_maybe_shared(value.clone()).map_err(|_| invalid_header())?;
        out.headers_mut().append(name, value);
    }
    if request.idempotent && !out.headers().contains_key(IDEMPOTENCY_KEY) {
        let id =
            context.request_id.ok_or_else(|| invalid("idempotent() needs a request, whose id it sends"))?;
        let key = HeaderValue::try_from(format!("{id}/{}", call.first_attempt))
            .map_err(|error| invalid(error.to_string()))?;
        out.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
    add_trace_context(context, call, out.headers_mut());
    Ok((host, out))
}

/// Adds the trace context of the incoming request, with this call as the parent, unless the outgoing request contains its
/// own.
fn add_trace_context(context: &EffectContext, call: CallNumbers, headers: &mut HeaderMap) {
    const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
    const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
    let Some(parent) = context.traceparent_of(call).filter(|_| !headers.contains_key(TRACEPARENT)) else {
        return;
    };
    if let Ok(value) = HeaderValue::try_from(parent.to_string()) {
        headers.insert(TRACEPARENT, value);
    }
    if let Some(value) = context.tracestate.as_deref().and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.entry(TRACESTATE).or_insert(value);
    }
}

async fn read_reply(host: &str, reply: ::http::Response<Incoming>, limit: u64) -> Result<Reply, EffectError> {
    let (head, mut incoming) = reply.into_parts();
    if incoming.size_hint().lower() > limit {
        return Err(too_large(host, limit));
    }
    let mut body = Bytes::new();
    let mut joined: Option<BytesMut> = None;
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| body_error(host, &error))?;
        // Trailers are ignored.
        let Ok(data) = frame.into_data() else { continue };
        let len = joined.as_ref().map_or(body.len(), BytesMut::len);
        if (len + data.len()) as u64 > limit {
            return Err(too_large(host, limit));
        }
        // Most bodies arrive in one frame, which is not copied.
        if len == 0 {
            body = data;
        } else {
            joined.get_or_insert_with(|| BytesMut::from(&body[..])).extend_from_slice(&data);
        }
    }
    let header = |(name, value): (&HeaderName, &HeaderValue)| Header {
        name: name.as_str().to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    Ok(Reply {
        status: head.status.as_u16(),
        headers: head.headers.iter().map(header).collect(),
        body: joined.map_or(body, BytesMut::freeze),
    })
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("http::Client")
    }
}
