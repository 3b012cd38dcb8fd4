//! The service with a database of its own, a client for it, and the check of everything that it has recorded.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value as Json, json};
use zerver::effects::{EffectContext, Interpreters, sql};
use zerver::engine::{Flow, Request};
use zerver::{Server, StartOptions};
use zerver_example_conduit::{Settings, app, flows, render_failure};
use zerver_local_server as local;
use zerver_postgres::Postgres;
use zerver_recorder::{Reader, Recorder, RecorderOptions};
use zerver_replay::{Edits, Recording, Replay, ReplayContext, Secrets};

/// Part of every password of the tests.
pub(crate) const CANARY: &str = "c4n4ry-p4ssw0rd";

/// Returns the server of all tests. It ends with their process.
pub(crate) fn postgres() -> &'static local::Postgres {
    static SERVER: OnceLock<local::Postgres> = OnceLock::new();
    SERVER.get_or_init(|| local::Postgres::start().unwrap_or_else(|error| panic!("{error}")))
}

/// Creates an empty database and returns its URL.
pub(crate) fn new_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("conduit{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = Postgres::from_url(&postgres().url()).unwrap();
    let mut interpreters = Interpreters::new();
    interpreters.set(admin);
    let create = sql::query(format!("create database {name} template template0")).execute();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(interpreters.perform(create, &EffectContext::default())).unwrap();
    postgres().url_of(&name)
}

/// Runs a story with a service of its own, and then checks what was recorded.
pub(crate) fn story(tell: impl FnOnce(&Conduit)) {
    let conduit = Conduit::start();
    tell(&conduit);
    conduit.check_recordings();
}

/// A running service.
pub(crate) struct Conduit {
    server: Server,
    recorder: Recorder,
    store: tempfile::TempDir,
    requests: AtomicU32,
    tokens: Mutex<Vec<String>>,
    impure: Arc<Mutex<Vec<String>>>,
}

/// A signed-in user.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) token: String,
}

impl Conduit {
    fn start() -> Self {
        let store = tempfile::tempdir().unwrap();
        let recorder = Recorder::open(RecorderOptions::new(store.path())).unwrap();
        let impure = Arc::new(Mutex::new(Vec::new()));
        let found = Arc::clone(&impure);
        let database_url = new_database();
        let settings =
            move || Ok(Settings { database_url, token_key: "a key for tests".to_owned(), is_seeded: false });
        let server = app(settings).workers(1).start(StartOptions {
            addr: Some("127.0.0.1:0".to_owned()),
            sink: Some(recorder.sink()),
            on_impure_step: Some(Arc::new(move |step| found.lock().unwrap().push(step.to_string()))),
            ..StartOptions::default()
        });
        let server = server.unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(server.ready()).unwrap();
        let (requests, tokens) = (AtomicU32::new(0), Mutex::default());
        Self { server, recorder, store, requests, tokens, impure }
    }

    /// Starts a request without credentials.
    pub(crate) fn ask(&self, method: &'static str, target: impl Into<String>) -> Asking<'_> {
        Asking { conduit: self, method, target: target.into(), headers: String::new(), body: None }
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target).send()
    }

    /// Starts a request of a user.
    pub(crate) fn ask_as(
        &self,
        person: &Person,
        method: &'static str,
        target: impl Into<String>,
    ) -> Asking<'_> {
        self.ask(method, target).header("authorization", &format!("Token {}", person.token))
    }

    /// Registers a user.
    pub(crate) fn person(&self, name: &str) -> Person {
        let user =
            json!({ "username": name, "email": format!("{name}@example.com"), "password": password(name) });
        let answer = self.ask("POST", "/api/users").json(&json!({ "user": user })).send();
        assert_eq!(answer.status, 201, "{answer:?}");
        Person { token: answer.json["user"]["token"].as_str().unwrap().to_owned() }
    }

    /// Publishes an article and returns its slug.
    pub(crate) fn article(&self, author: &Person, title: &str, tags: &[&str]) -> String {
        let article = json!({ "title": title, "description": "About", "body": "Text", "tagList": tags });
        let answer = self.ask_as(author, "POST", "/api/articles").json(&json!({ "article": article })).send();
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json["article"]["slug"].as_str().unwrap().to_owned()
    }

    /// Replays every recorded request without the database, and checks that the store contains no secret.
    fn check_recordings(self) {
        let Self { server, recorder, store, requests, tokens, impure } = self;
        server.stop();
        let status = recorder.close();
        assert_eq!((status.dropped, status.lost), (0, 0));
        assert_eq!(impure.lock().unwrap().as_slice(), [] as [String; 0]);
        let reader = Reader::open(store.path()).unwrap();
        let recorded = reader.list(&zerver_trace::Query::default()).unwrap();
        assert_eq!(recorded.len(), requests.into_inner() as usize);
        let flows: Vec<_> =
            flows().iter().map(|flow| Arc::new(Flow::new(flow, render_failure).unwrap())).collect();
        let secrets = tokens.into_inner().unwrap().into_iter().chain([CANARY.to_owned()]);
        let secrets: Vec<_> = secrets.collect();
        for summary in recorded {
            let trace = reader.load(summary.id).unwrap().unwrap();
            let shown = format!("{trace:?}");
            for secret in &secrets {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
            let Some(flow) = flows.iter().find(|flow| flow.info().name == trace.flow.name) else {
                assert_eq!(trace.flow.name, "", "a request that no flow takes");
                continue;
            };
            let secrets = reader.open_secrets(&trace).map(Secrets).unwrap();
            let replay = Replay {
                recording: &Recording { trace, secrets },
                flow,
                route: &|request| route(&flow.info().pattern, request),
                edits: &Edits::default(),
                context: ReplayContext::default(),
            };
            let report = replay.run(&mut |_| {}).unwrap();
            assert_eq!(report.verdict(), "same", "{} {}: {report:?}", summary.method, summary.path);
        }
        for file in std::fs::read_dir(store.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            for secret in &secrets {
                assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
            }
        }
    }
}

/// Adds the parameters of a path, which has no escapes that a route would have to decode.
fn route(pattern: &str, request: &mut Request) -> bool {
    let path = request.uri.path().to_owned();
    let (names, values) = (pattern.split('/'), path.split('/'));
    for (name, value) in names.zip(values) {
        if let Some(name) = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            request.params.push((name.into(), decoded(value)));
        }
    }
    true
}

/// Decodes percent escapes.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(*first);
        if *first == b'%' {
            let (digits, after) = rest.split_at(2);
            *bytes.last_mut().unwrap() = u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap();
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Encodes everything but letters and digits.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

/// Returns the password of a user.
pub(crate) fn password(name: &str) -> String {
    format!("{CANARY}-{name}")
}

/// A request that is not sent yet.
pub(crate) struct Asking<'c> {
    conduit: &'c Conduit,
    method: &'static str,
    target: String,
    headers: String,
    body: Option<Vec<u8>>,
}

impl Asking<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub(crate) fn json(self, body: &Json) -> Self {
        self.body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", "application/json")
    }

    pub(crate) fn send(self) -> Answer {
        let Self { conduit, method, target, headers, body } = self;
        conduit.requests.fetch_add(1, Ordering::Relaxed);
        let answer =
            send(conduit.server.addr(), method, &target, &headers, body.as_deref().unwrap_or_default());
        if let Some(token) = answer.json["user"]["token"].as_str() {
            // The signature, which is a part of the token that no other text contains.
            conduit.tokens.lock().unwrap().push(token.rsplit('.').next().unwrap().to_owned());
        }
        answer
    }
}

/// Sends a request on a connection of its own.
pub(crate) fn send(addr: SocketAddr, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: conduit\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let json = if body.is_empty() { Json::Null } else { serde_json::from_str(body).unwrap_or_default() };
    Answer { status, head: head.to_ascii_lowercase(), json }
}

/// The answer of the service.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) json: Json,
}

impl Answer {
    /// Checks that it is this error, with one message for one field.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, field: &str, message: &str) {
        assert_eq!(
            (self.status, &self.json),
            (status, &json!({ "errors": { field: [message] } })),
            "{self:?}"
        );
    }

    /// Checks that it is a 422 for exactly these fields.
    #[track_caller]
    pub(crate) fn assert_invalid(&self, fields: &[&str]) {
        let found: Vec<_> = self.json["errors"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((self.status, found.as_slice()), (422, fields), "{self:?}");
    }
}
