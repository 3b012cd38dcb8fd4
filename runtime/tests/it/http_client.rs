//! The HTTP client, against servers on the loopback interface. Most of them send exactly the bytes that a test provides.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use proptest::prelude::*;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use zerver::effects::http::{self, Client, Header, Reply};
use zerver::effects::{EffectContext, Interpreters};
use zerver::engine::FailureKind;
use zerver::prelude::*;
use zerver_trace::{TraceParent, Value};

#[derive(Clone, Default)]
struct Seen {
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Seen {
    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A server that answers each request with the bytes of a function. It closes the connection if they are empty or end in `|`.
struct Server {
    address: String,
    seen: Seen,
}

impl Server {
    async fn new(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Seen::default();
        let (answer, task_seen) = (Arc::new(answer), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                task_seen.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&answer), task_seen.clone()));
            }
        });
        Self { address, seen }
    }

    async fn with_answer(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |_| answer.clone()).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Arc<impl Fn(&str) -> Vec<u8>>,
    seen: Seen,
) {
    while let Some(request) = read_request(&mut stream).await {
        seen.requests.lock().unwrap().push(request.clone());
        let answer = answer(&request);
        let (answer, close) = match answer.strip_suffix(b"|") {
            Some(answer) => (answer, true),
            None => (&answer[..], answer.is_empty()),
        };
        if stream.write_all(answer).await.is_err() || close {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn with(client: Client) -> Interpreters {
    let mut interpreters = Interpreters::new();
    interpreters.set(client);
    interpreters
}

async fn run<T>(effect: Effect<T>) -> Result<T, Failure> {
    Interpreters::builtin().perform(effect, &EffectContext::default()).await
}

/// Runs an effect that must fail. Returns the kind and the first cause of the failure.
async fn fails<T: std::fmt::Debug>(effect: Effect<T>) -> (FailureKind, String) {
    failed(run(effect).await)
}

fn failed<T: std::fmt::Debug>(result: Result<T, Failure>) -> (FailureKind, String) {
    let failure = result.unwrap_err();
    let cause = format!("{failure:?}").split_once("causes: [\"").unwrap().1.to_owned();
    (failure.kind(), cause.split("\"]").next().unwrap().to_owned())
}

#[tokio::test]
async fn any_status_is_a_reply_and_no_redirect_is_followed() {
    for status in [200, 204, 301, 302, 307, 401, 404, 418, 429, 500, 503, 999] {
        let head = format!("HTTP/1.1 {status} X\r\nLocation: /next\r\nX-Two: 1\r\nx-two: 2\r\n");
        let server = Server::with_answer(match status {
            204 => format!("{head}\r\n"),
            _ => format!("{head}content-length: 2\r\n\r\nhi"),
        })
        .await;
        let reply = run(http::get(server.url("/")).send()).await.unwrap();
        assert_eq!(reply.status, status);
        assert_eq!(reply.is_success(), status < 300);
        assert_eq!(reply.header("LOCATION"), Some("/next"));
        assert_eq!(reply.headers.iter().filter(|header| header.name == "x-two").count(), 2);
        assert_eq!(reply.text().unwrap(), if status == 204 { "" } else { "hi" });
        assert_eq!(server.seen.requests().len(), 1);
    }
}

#[tokio::test]
async fn an_effect_is_also_retried_outside_a_request() {
    let failures = AtomicUsize::new(2);
    let server = Server::new(move |_| {
        let is_busy =
            failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if is_busy { "HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n".into() } else { ok("7").into() }
    })
    .await;
    let retry = Retry::attempts(3).pause(1.millis(), 1.millis());
    assert_eq!(run(http::get(server.url("/")).json::<u32>().retry(retry)).await.unwrap(), 7);
    assert_eq!(server.seen.requests().len(), 3);
}

#[tokio::test]
async fn a_request_contains_what_the_builder_sets_and_nothing_else() {
    let server = Server::with_answer(ok("")).await;
    let request = http::post(server.url("/a%20b?x=1#part"))
        .query("q", "a&b=c d")
        .query("n", 7)
        .bearer("token")
        .header("X-Many", "1")
        .header("x-many", "2")
        .json_body(&serde_json::json!({"a": 1}));
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let context = EffectContext {
        traceparent: TraceParent::parse(traceparent),
        tracestate: Some("rojo=1,congo=2".into()),
        ..EffectContext::default()
    };
    with(Client::new()).perform(request.ok(), &context).await.unwrap();
    let host = &server.address;
    let expected = format!(
        "POST /a%20b?x=1&q=a%26b%3Dc+d&n=7 HTTP/1.1\r\n\
         authorization: Bearer token\r\nx-many: 1\r\nx-many: 2\r\ncontent-type: application/json\r\n\
         traceparent: {traceparent}\r\ntracestate: rojo=1,congo=2\r\nhost: {host}\r\ncontent-length: 7\r\n\r\n{{\"a\":1}}"
    );
    assert_eq!(server.seen.requests(), [expected]);

    // Headers that the request sets itself are not replaced.
    let own = http::get(server.url("")).header("traceparent", "mine").header("accept", "a/b");
    with(Client::new()).perform(own.json_or_none::<()>(), &context).await.unwrap_err();
    let expected = format!("GET / HTTP/1.1\r\ntraceparent: mine\r\naccept: a/b\r\nhost: {host}\r\n\r\n");
    assert_eq!(server.seen.requests()[1], expected);

    for (method, builder) in [
        ("HEAD", http::head(server.url("/"))),
        ("PUT", http::put(server.url("/"))),
        ("PATCH", http::patch(server.url("/"))),
        ("DELETE", http::delete(server.url("/"))),
        ("QUERY", http::request("QUERY", server.url("/"))),
    ] {
        run(builder.body("x").send()).await.unwrap();
        let request = server.seen.requests().pop().unwrap();
        assert!(request.starts_with(&format!("{method} / HTTP/1.1\r\n")), "{request}");
        assert!(request.ends_with("content-length: 1\r\n\r\nx"), "{request}");
    }
}

#[tokio::test]
async fn each_final_method_of_the_builder_accepts_the_documented_replies() {
    let json = Server::with_answer(ok(r#"{"sub": "u", "n": 1}"#)).await;
    let get = || http::get(json.url("/x"));
    #[derive(Debug, PartialEq, Deserialize)]
    struct Claims {
        sub: String,
    }
    assert_eq!(run(get().json::<Claims>()).await.unwrap().sub, "u");
    assert_eq!(run(get().json_or_none()).await.unwrap(), Some(Claims { sub: "u".to_owned() }));
    assert!(run(get().text()).await.unwrap().starts_with('{'));
    run(get().ok()).await.unwrap();

    let host = &json.address;
    let (kind, cause) = fails(get().json::<Vec<u8>>()).await;
    assert_eq!(kind, FailureKind::BadUpstream);
    assert!(
        cause.starts_with(&format!("GET {host}/x: malformed: not the JSON expected: invalid type: map")),
        "{cause}"
    );

    for (status, is_none) in [(404, true), (403, false), (500, false), (304, false)] {
        let server = Server::with_answer(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")).await;
        let expected = (FailureKind::BadUpstream, format!("GET {}/?..: answered {status}", server.address));
        let get = || http::get(server.url("/?secret=1"));
        assert_eq!(fails(get().json::<Claims>()).await, expected);
        assert_eq!(fails(get().text()).await, expected);
        assert_eq!(fails(get().ok()).await, expected);
        match run(get().json_or_none::<Claims>()).await {
            Ok(found) => assert!(is_none && found.is_none()),
            failure => assert_eq!((is_none, failed(failure)), (false, expected)),
        }
    }

    let garbage = Server::with_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff\xfe".to_vec()).await;
    assert_eq!(fails(http::get(garbage.url("/")).text()).await.0, FailureKind::BadUpstream);
    assert_eq!(run(http::get(garbage.url("/")).send()).await.unwrap().body, &b"\xff\xfe"[..]);

    struct Never;
    impl Serialize for Never {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("never"))
        }
    }
    assert_eq!(fails(get().json_body(&Never).ok()).await, (FailureKind::Internal, "never".to_owned()));
}

#[tokio::test]
async fn a_malformed_reply_is_an_error_that_describes_the_fault() {
    let head = "HTTP/1.1 200 OK\r\n";
    for (answer, kind, cause) in [
        (String::new(), "unreachable", "connection closed before message completed"),
        ("HTTP/1.1 200|".into(), "unreachable", "connection closed before message completed"),
        (format!("{head}content-length: 9\r\n\r\nhalf|"), "unreachable", "reading the body: "),
        (format!("{head}transfer-encoding: chunked\r\n\r\n5\r\nab|"), "unreachable", "reading the body: "),
        (format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n|"), "malformed", "reading the body: "),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n|".into(), "malformed", "invalid HTTP version parsed"),
        (format!("{head}na me: x\r\n\r\n|"), "malformed", "invalid HTTP header parsed"),
        (
            format!("{head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!|"),
            "malformed",
            "content-length",
        ),
        (format!("{head}{}\r\n|", "a: b\r\n".repeat(200)), "too_large", "message head is too large"),
        (format!("{head}a: {}\r\n\r\n|", "x".repeat(1_000_000)), "too_large", "message head is too large"),
    ] {
        let server = Server::with_answer(answer.clone()).await;
        let (_, got) = fails(http::get(server.url("/")).send()).await;
        let expected = format!("{kind}: {}: ", server.address);
        assert!(got.starts_with(&expected) && got.contains(cause), "{answer:.50} {got}");
    }
}

#[tokio::test]
async fn the_size_of_a_body_is_limited() {
    let sized = Server::with_answer(ok(&"x".repeat(1000))).await;
    let chunk = format!("64\r\n{}\r\n", "x".repeat(100)).repeat(10);
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked = Server::with_answer(format!("{head}{chunk}0\r\n\r\n")).await;
    let endless = Server::with_answer(format!("{head}{}", chunk.repeat(100))).await;
    let closed = Server::with_answer(format!("HTTP/1.1 200 OK\r\n\r\n{}|", "x".repeat(1000))).await;
    for server in [&sized, &chunked, &closed] {
        let get = || http::get(server.url("/"));
        assert_eq!(run(get().body_limit(1000).send()).await.unwrap().body.len(), 1000);
        assert_eq!(run(get().text()).await.unwrap(), "x".repeat(1000));
        let expected =
            (FailureKind::BadUpstream, format!("too_large: {}: a body over 999 bytes", server.address));
        assert_eq!(fails(get().body_limit(999).send()).await, expected);
        let small = with(Client::builder().body_limit(999).build());
        assert_eq!(failed(small.perform(get().send(), &EffectContext::default()).await), expected);
    }
    let (_, cause) = fails(http::get(endless.url("/")).body_limit(50_000).send()).await;
    assert!(cause.starts_with("too_large"), "{cause}");
}

#[tokio::test]
async fn an_unreachable_host_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (kind, cause) = fails(http::get(format!("http://{address}/secret")).send()).await;
    assert_eq!(kind, FailureKind::Unavailable);
    assert!(cause.starts_with(&format!("unreachable: {address}: connecting: ")), "{cause}");
    assert!(cause.contains("refused") && !cause.contains("secret"), "{cause}");

    // The label is longer than DNS allows (RFC 1035, section 2.3.4), so the test does not wait for a name server.
    let name = format!("{}.invalid", "x".repeat(64));
    let (kind, cause) = fails(http::get(format!("http://{name}/")).send()).await;
    assert_eq!(kind, FailureKind::Unavailable);
    assert!(cause.starts_with(&format!("unreachable: {name}: connecting: dns error")), "{cause}");
}

#[tokio::test]
async fn a_request_that_exceeds_its_time_limit_closes_the_connection() {
    let (sender, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read_request(&mut stream).await;
            // Waits until the client closes the connection.
            let rest = stream.read_u8().await;
            sender.send((request, rest.is_err())).unwrap();
        }
    });
    // Repeated, because no request is sent if the machine stalls until the time limit.
    for _ in 0..20 {
        let (kind, _) = fails(http::get(format!("http://{address}/")).timeout(20.millis()).send()).await;
        assert_eq!(kind, FailureKind::Timeout);
        if let Ok(Some((Some(request), closed))) = tokio::time::timeout(1.seconds(), requests.recv()).await {
            assert!(request.starts_with("GET / ") && closed);
            return;
        }
    }
    panic!("this machine is too slow");
}

#[tokio::test]
async fn a_connection_is_reused_until_the_server_closes_it() {
    let server = Server::new(|request| match request.split(' ').nth(1) {
        Some("/close") => format!("{}|", ok("bye")).into(),
        _ => ok("hi").into(),
    })
    .await;
    let live = Interpreters::builtin();
    let get = async |path| {
        live.perform(http::get(server.url(path)).text(), &EffectContext::default()).await.unwrap();
    };
    for _ in 0..5 {
        get("/").await;
    }
    assert_eq!(server.seen.connections(), 1);
    for _ in 0..5 {
        get("/close").await;
    }
    get("/").await;
    assert_eq!(server.seen.requests().len(), 11);
    assert!(server.seen.connections() <= 6, "{}", server.seen.connections());
    // A connection with an unread body is not reused.
    live.perform(http::get(server.url("/")).body_limit(1).text(), &EffectContext::default())
        .await
        .unwrap_err();
    get("/").await;
}

#[test]
fn each_runtime_has_separate_connections() {
    let (sender, server) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            sender.send(Server::with_answer(ok("hi")).await).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let server = Arc::new(server.recv().unwrap());
    let client = Client::new();
    let work = |client: Client, server: Arc<Server>| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let interpreters = with(client);
        for _ in 0..3 {
            let get = http::get(server.url("/")).text();
            assert_eq!(runtime.block_on(interpreters.perform(get, &EffectContext::default())).unwrap(), "hi");
        }
    };
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let (client, server) = (client.clone(), Arc::clone(&server));
            std::thread::spawn(move || work(client, server))
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!((server.seen.connections(), server.seen.requests().len()), (3, 9));
    // A second runtime on the same thread does not receive the dead connections of the first.
    work(client.clone(), Arc::clone(&server));
    work(client, Arc::clone(&server));
    assert_eq!((server.seen.connections(), server.seen.requests().len()), (5, 15));
}

#[tokio::test]
async fn the_error_of_an_invalid_request_does_not_contain_its_values() {
    let server = Server::with_answer(ok("")).await;
    let get = || http::get(server.url("/"));
    let host = &server.address;
    for (builder, expected) in [
        (get().header("x", "secret\r\nevil: 1"), format!("{host}: header not allowed: \\\"x\\\"")),
        (get().header("x", "secret\0"), format!("{host}: header not allowed: \\\"x\\\"")),
        (get().header("a b", "secret"), format!("{host}: header not allowed: \\\"a b\\\"")),
        (get().bearer("secret\n"), format!("{host}: header not allowed: \\\"authorization\\\"")),
        (
            get().header("Transfer-Encoding", "chunked"),
            format!("{host}: header not allowed: \\\"transfer-encoding\\\""),
        ),
        (
            get().header("content-length", "100"),
            format!("{host}: header not allowed: \\\"content-length\\\""),
        ),
        (
            http::request("GET / HTTP/1.1\r\nevil:", server.url("/")),
            format!("{host}: method not allowed: \\\"GET / HTTP/1.1\\\\r\\\\nevil:\\\""),
        ),
        (http::request("CONNECT", server.url("/")), format!("{host}: method not allowed: \\\"CONNECT\\\"")),
        (
            http::get("http://user:secret@localhost/"),
            "the URL contains credentials; send them in a header".into(),
        ),
        (http::get("ftp://localhost/secret"), "the URL must start with http:// or https://".into()),
        (http::get("/secret"), "the URL has no host".into()),
        (http::get("http://a b/secret"), "not a URL: ".into()),
        (http::get("http://a/\r\nsecret"), "not a URL: ".into()),
        (http::get(""), "not a URL: ".into()),
    ] {
        let (kind, cause) = fails(builder.send()).await;
        assert_eq!(kind, FailureKind::Internal);
        let expected = format!("invalid: {expected}");
        assert!(cause.starts_with(&expected), "{cause} not {expected}");
        assert!(!cause.contains("secret"), "{cause}");
    }
    assert_eq!(server.seen.connections(), 0);
}

#[test]
fn a_summary_names_host_and_path_and_no_secret() {
    for (url, expected) in [
        ("https://idp.example.com/verify", "GET idp.example.com/verify"),
        ("https://idp.example.com:8443", "GET idp.example.com:8443/"),
        ("http://[::1]:80/a?token=secret&b=secret", "GET [::1]:80/a?.."),
        ("http://user:secret@host/x", "GET host/x"),
        ("http://a b/secret", "GET of an invalid URL"),
        ("/secret", "GET of an invalid URL"),
    ] {
        let request = http::Request {
            method: "GET".into(),
            url: url.into(),
            headers: vec![],
            body: Bytes::new(),
            body_limit: None,
            idempotent: false,
        };
        assert_eq!(request.summary(), expected);
    }
    assert_eq!(http::Request::output_summary(&Reply::from_json("x").unwrap()), "200, 3 bytes");
}

struct Authority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: rcgen::Issuer::new(params, key) }
    }

    fn config(&self, name: &str, protocol: &[u8]) -> ServerConfig {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut config =
            builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        config
    }

    /// Starts a server with a certificate for this name. Returns its port.
    async fn server(&self, name: &str, protocol: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(self.config(name, protocol.as_bytes())));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    if protocol == "http/1.1" {
                        serve(stream, Arc::new(|_: &str| ok("1").into()), Seen::default()).await;
                        return;
                    }
                    let service = hyper::service::service_fn(|request: hyper::Request<_>| async move {
                        let _: hyper::body::Incoming = request.into_body();
                        Ok::<_, hyper::Error>(hyper::Response::new(Full::new(Bytes::from_static(b"2"))))
                    });
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        port
    }
}

#[tokio::test]
async fn only_servers_with_a_trusted_certificate_are_accepted() {
    let authority = Authority::new();
    let ours = with(Client::builder().trust(authority.pem.as_bytes()).unwrap().build());
    let theirs = with(Client::builder().trust(Authority::new().pem.as_bytes()).unwrap().build());
    let get = async |interpreters: &Interpreters, port| {
        let get = http::get(format!("https://localhost:{port}/")).text();
        interpreters.perform(get, &EffectContext::default()).await
    };
    for (protocol, answer) in [("http/1.1", "1"), ("h2", "2")] {
        let port = authority.server("localhost", protocol).await;
        for _ in 0..3 {
            assert_eq!(get(&ours, port).await.unwrap(), answer);
        }
        for interpreters in [&theirs, &Interpreters::builtin()] {
            let (kind, cause) = failed(get(interpreters, port).await);
            assert_eq!(kind, FailureKind::Unavailable);
            let expected = format!("unreachable: localhost:{port}: TLS: ");
            assert!(cause.starts_with(&expected) && cause.contains("invalid peer certificate"), "{cause}");
        }
    }
    let (_, cause) = failed(get(&ours, authority.server("example.com", "h2").await).await);
    assert!(cause.contains("TLS: ") && cause.contains("not valid for name \\\"localhost\\\""), "{cause}");
    // A server that does not speak TLS, and one that sends nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { listener.accept().await.unwrap().0.write_all(ok("").as_bytes()).await });
    let (_, cause) = failed(get(&ours, port).await);
    assert!(cause.starts_with("unreachable: ") && cause.contains("TLS: "), "{cause}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let client = with(Client::builder().connect_timeout(20.millis()).build());
    let (kind, cause) = failed(get(&client, port).await);
    assert_eq!(kind, FailureKind::Timeout);
    assert_eq!(cause, format!("timeout: localhost:{port}: connecting: took longer than 20ms"));
}

#[test]
fn only_certificates_can_be_trusted() {
    let trust = |pem: &str| Client::builder().trust(pem.as_bytes()).map(drop).unwrap_err().to_string();
    assert_eq!(trust(""), "the PEM contains no certificate");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(trust(broken).starts_with("not a certificate of an authority"));
    assert!(trust("-----BEGIN CERTIFICATE-----\n").starts_with("not certificates in PEM"));
}

#[tokio::test]
async fn the_time_to_connect_is_limited() {
    // This address is never routed (RFC 5737). Without any network, connecting fails at once.
    let client = with(Client::builder().connect_timeout(Duration::from_millis(50)).build());
    let get = http::get("http://192.0.2.1/").timeout(5.seconds()).send();
    let (kind, cause) = failed(client.perform(get, &EffectContext::default()).await);
    assert!(matches!(kind, FailureKind::Timeout | FailureKind::Unavailable), "{cause}");
    assert!(cause.contains("192.0.2.1: connecting: "), "{cause}");
}

proptest! {
    #[test]
    fn requests_and_replies_are_recorded_without_loss(
        method: String,
        url: String,
        headers in proptest::collection::vec((any::<String>(), any::<Vec<u8>>()), 0..4),
        body: Vec<u8>,
        body_limit: Option<u64>,
        status: u16,
    ) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| Header::new(name, value.clone())).collect();
        let reply = Reply { status, headers: headers.clone().into(), body: body.clone().into() };
        prop_assert_eq!(Value::from_serialize(&reply).unwrap().to_typed::<Reply>().unwrap(), reply.clone());
        // In the JSON of edits, bytes that are text are shown as text.
        let json = serde_json::to_string(&reply).unwrap();
        prop_assert_eq!(serde_json::from_str::<Reply>(&json).unwrap(), reply);
        let request = http::Request { method, url, headers, body: body.into(), body_limit, idempotent: false };
        prop_assert_eq!(Value::from_serialize(&request).unwrap().to_typed::<http::Request>().unwrap(), request.clone());
        request.summary();
    }
}
