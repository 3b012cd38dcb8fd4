//! HTTP, against real servers on loopback: most of them say, byte by byte, what a test wants to hear.

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
use zerver_trace::Value;

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

/// A server that answers each request with these bytes, and closes the connection where they are empty or end in `|`.
struct Server {
    address: String,
    seen: Seen,
}

impl Server {
    async fn new(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Seen::default();
        let (answer, of_task) = (Arc::new(answer), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                of_task.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, Arc::clone(&answer), of_task.clone()));
            }
        });
        Self { address, seen }
    }

    async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |_| answer.clone()).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn converse(
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

/// The kind of failure and its first cause.
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
        let server = Server::saying(match status {
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
async fn outside_a_request_an_effect_is_tried_again_too() {
    let busy = AtomicUsize::new(2);
    let server = Server::new(move |_| {
        let is_busy =
            busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if is_busy { "HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n".into() } else { ok("7").into() }
    })
    .await;
    let retry = Retry::attempts(3).pause(1.millis(), 1.millis());
    assert_eq!(run(http::get(server.url("/")).json::<u32>().retry(retry)).await.unwrap(), 7);
    assert_eq!(server.seen.requests().len(), 3);
}

#[tokio::test]
async fn a_request_says_what_it_was_told_to_and_nothing_else() {
    let server = Server::saying(ok("")).await;
    let request = http::post(server.url("/a%20b?x=1#part"))
        .query("q", "a&b=c d")
        .query("n", 7)
        .bearer("token")
        .header("X-Many", "1")
        .header("x-many", "2")
        .json_body(&serde_json::json!({"a": 1}));
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let context = EffectContext {
        traceparent: Some(traceparent.into()),
        tracestate: Some("rojo=1,congo=2".into()),
        ..EffectContext::default()
    };
    with(Client::new()).perform(request.ok(), &context).await.unwrap();
    let host = &server.address;
    let wanted = format!(
        "POST /a%20b?x=1&q=a%26b%3Dc+d&n=7 HTTP/1.1\r\n\
         authorization: Bearer token\r\nx-many: 1\r\nx-many: 2\r\ncontent-type: application/json\r\n\
         traceparent: {traceparent}\r\ntracestate: rojo=1,congo=2\r\nhost: {host}\r\ncontent-length: 7\r\n\r\n{{\"a\":1}}"
    );
    assert_eq!(server.seen.requests(), [wanted]);

    // What it says itself stands.
    let own = http::get(server.url("")).header("traceparent", "mine").header("accept", "a/b");
    with(Client::new()).perform(own.json_or_none::<()>(), &context).await.unwrap_err();
    let wanted = format!("GET / HTTP/1.1\r\ntraceparent: mine\r\naccept: a/b\r\nhost: {host}\r\n\r\n");
    assert_eq!(server.seen.requests()[1], wanted);

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
async fn the_ends_of_a_request_say_what_they_take() {
    let json = Server::saying(ok(r#"{"sub": "u", "n": 1}"#)).await;
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

    for (status, none) in [(404, true), (403, false), (500, false), (304, false)] {
        let server = Server::saying(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")).await;
        let wanted = (FailureKind::BadUpstream, format!("GET {}/?..: answered {status}", server.address));
        let get = || http::get(server.url("/?secret=1"));
        assert_eq!(fails(get().json::<Claims>()).await, wanted);
        assert_eq!(fails(get().text()).await, wanted);
        assert_eq!(fails(get().ok()).await, wanted);
        match run(get().json_or_none::<Claims>()).await {
            Ok(found) => assert!(none && found.is_none()),
            failure => assert_eq!((none, failed(failure)), (false, wanted)),
        }
    }

    let garbage = Server::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff\xfe".to_vec()).await;
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
async fn what_a_server_does_wrong_is_an_error_that_says_so() {
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
        let server = Server::saying(answer.clone()).await;
        let (_, got) = fails(http::get(server.url("/")).send()).await;
        let wanted = format!("{kind}: {}: ", server.address);
        assert!(got.starts_with(&wanted) && got.contains(cause), "{answer:.50} {got}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let sized = Server::saying(ok(&"x".repeat(1000))).await;
    let chunk = format!("64\r\n{}\r\n", "x".repeat(100)).repeat(10);
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked = Server::saying(format!("{head}{chunk}0\r\n\r\n")).await;
    let endless = Server::saying(format!("{head}{}", chunk.repeat(100))).await;
    let closed = Server::saying(format!("HTTP/1.1 200 OK\r\n\r\n{}|", "x".repeat(1000))).await;
    for server in [&sized, &chunked, &closed] {
        let get = || http::get(server.url("/"));
        assert_eq!(run(get().body_limit(1000).send()).await.unwrap().body.len(), 1000);
        assert_eq!(run(get().text()).await.unwrap(), "x".repeat(1000));
        let wanted =
            (FailureKind::BadUpstream, format!("too_large: {}: a body over 999 bytes", server.address));
        assert_eq!(fails(get().body_limit(999).send()).await, wanted);
        let small = with(Client::builder().body_limit(999).build());
        assert_eq!(failed(small.perform(get().send(), &EffectContext::default()).await), wanted);
    }
    let (_, cause) = fails(http::get(endless.url("/")).body_limit(50_000).send()).await;
    assert!(cause.starts_with("too_large"), "{cause}");
}

#[tokio::test]
async fn who_does_not_answer_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (kind, cause) = fails(http::get(format!("http://{address}/secret")).send()).await;
    assert_eq!(kind, FailureKind::Unavailable);
    assert!(cause.starts_with(&format!("unreachable: {address}: connecting: ")), "{cause}");
    assert!(cause.contains("refused") && !cause.contains("secret"), "{cause}");

    // No name is that long (RFC 1035, section 2.3.4), so that nobody has to be asked, who may be slow to answer.
    let name = format!("{}.invalid", "x".repeat(64));
    let (kind, cause) = fails(http::get(format!("http://{name}/")).send()).await;
    assert_eq!(kind, FailureKind::Unavailable);
    assert!(cause.starts_with(&format!("unreachable: {name}: connecting: dns error")), "{cause}");
}

#[tokio::test]
async fn when_its_time_is_over_the_connection_is_closed() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read_request(&mut stream).await;
            // Until the client hangs up.
            let rest = stream.read_u8().await;
            tell.send((request, rest.is_err())).unwrap();
        }
    });
    // Where the machine stalls until the time is over, before anything was sent, it is nobody's turn to close: then once
    // more.
    for _ in 0..20 {
        let (kind, _) = fails(http::get(format!("http://{address}/")).timeout(20.millis()).send()).await;
        assert_eq!(kind, FailureKind::Timeout);
        if let Ok(Some((Some(request), closed))) = tokio::time::timeout(1.seconds(), told.recv()).await {
            assert!(request.starts_with("GET / ") && closed);
            return;
        }
    }
    panic!("this machine is too slow");
}

#[tokio::test]
async fn a_connection_is_used_again_until_the_server_closes_it() {
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
    // An error leaves no connection behind that would spoil the next request.
    live.perform(http::get(server.url("/")).body_limit(1).text(), &EffectContext::default())
        .await
        .unwrap_err();
    get("/").await;
}

#[test]
fn each_runtime_has_connections_of_its_own() {
    let (made, server) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            made.send(Server::saying(ok("hi")).await).unwrap();
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
    // Another runtime on a thread that had one does not get the dead connections of the first.
    work(client.clone(), Arc::clone(&server));
    work(client, Arc::clone(&server));
    assert_eq!((server.seen.connections(), server.seen.requests().len()), (5, 15));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_without_a_word_of_what_it_holds() {
    let server = Server::saying(ok("")).await;
    let get = || http::get(server.url("/"));
    let host = &server.address;
    for (builder, wanted) in [
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
        let wanted = format!("invalid: {wanted}");
        assert!(cause.starts_with(&wanted), "{cause} not {wanted}");
        assert!(!cause.contains("secret"), "{cause}");
    }
    assert_eq!(server.seen.connections(), 0);
}

#[test]
fn a_summary_names_host_and_path_and_no_secret() {
    for (url, wanted) in [
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
        };
        assert_eq!(request.summary(), wanted);
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

    /// A server for this name; gives its port.
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
                        converse(stream, Arc::new(|_: &str| ok("1").into()), Seen::default()).await;
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
async fn tls_is_spoken_with_those_that_are_trusted() {
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
            let wanted = format!("unreachable: localhost:{port}: TLS: ");
            assert!(cause.starts_with(&wanted) && cause.contains("invalid peer certificate"), "{cause}");
        }
    }
    let (_, cause) = failed(get(&ours, authority.server("example.com", "h2").await).await);
    assert!(cause.contains("TLS: ") && cause.contains("not valid for name \\\"localhost\\\""), "{cause}");
    // One that speaks something else, and one that says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { listener.accept().await.unwrap().0.write_all(ok("").as_bytes()).await });
    let (_, cause) = failed(get(&ours, port).await);
    assert!(cause.starts_with("unreachable: ") && cause.contains("TLS: "), "{cause}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let impatient = with(Client::builder().connect_timeout(20.millis()).build());
    let (kind, cause) = failed(get(&impatient, port).await);
    assert_eq!(kind, FailureKind::Timeout);
    assert_eq!(cause, format!("timeout: localhost:{port}: connecting: took longer than 20ms"));
}

#[test]
fn only_certificates_are_trusted() {
    let trust = |pem: &str| Client::builder().trust(pem.as_bytes()).map(drop).unwrap_err().to_string();
    assert_eq!(trust(""), "the PEM contains no certificate");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(trust(broken).starts_with("not a certificate of an authority"));
    assert!(trust("-----BEGIN CERTIFICATE-----\n").starts_with("not certificates in PEM"));
}

#[tokio::test]
async fn connecting_has_a_limit() {
    // Never routed (RFC 5737), so that nobody answers; where there is no network at all, that is said at once.
    let client = with(Client::builder().connect_timeout(Duration::from_millis(50)).build());
    let get = http::get("http://192.0.2.1/").timeout(5.seconds()).send();
    let (kind, cause) = failed(client.perform(get, &EffectContext::default()).await);
    assert!(matches!(kind, FailureKind::Timeout | FailureKind::Unavailable), "{cause}");
    assert!(cause.contains("192.0.2.1: connecting: "), "{cause}");
}

proptest! {
    #[test]
    fn requests_and_replies_are_recorded_as_they_are(
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
        // As it is edited: bytes that are text are text in JSON too.
        let json = serde_json::to_string(&reply).unwrap();
        prop_assert_eq!(serde_json::from_str::<Reply>(&json).unwrap(), reply);
        let request = http::Request { method, url, headers, body: body.into(), body_limit };
        prop_assert_eq!(Value::from_serialize(&request).unwrap().to_typed::<http::Request>().unwrap(), request.clone());
        request.summary();
    }
}
