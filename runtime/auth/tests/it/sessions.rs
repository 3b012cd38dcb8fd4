//! Sessions of browsers, from the login to the logout.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use zerver::StartOptions;
use zerver::prelude::*;
use zerver_auth::session::{
    self, NewSession, RequireSession, SessionData, SessionId, SessionIfAny, SessionKeys,
};
use zerver_recorder::{Reader, Recorder, RecorderOptions};
use zerver_replay::Secrets;

use crate::recordings::verdict;
use crate::service::start;

#[slot]
#[derive(Debug, Clone, PartialEq)]
struct User {
    name: String,
    visits: u32,
}

impl SessionData for User {}

#[step]
fn begin(request: &Request, old: Option<&SessionId>, arrival: &ArrivalTime) -> Decision<NewSession> {
    let name = request.query("name").unwrap_or_default().into_owned();
    Need(session::log_in(old, User { name, visits: 0 }, *arrival))
}

#[step]
fn welcome(new: &NewSession) -> Response {
    Response::no_content().cookie(new.cookie::<User>())
}

#[step]
fn count(user: &User, id: &SessionId) -> Decision<()> {
    Need(session::update(id, User { visits: user.visits + 1, ..user.clone() }))
}

#[step]
fn greet(user: &User) -> Response {
    Response::text(format!("{} {}", user.name, user.visits))
}

#[step]
fn greet_any(user: Option<&User>) -> Response {
    Response::text(user.map_or("nobody", |user| &user.name))
}

#[step]
fn end(id: &SessionId) -> Decision<()> {
    Need(session::end::<User>(id))
}

#[step]
fn goodbye() -> Response {
    Response::no_content().cookie(session::removal::<User>())
}

const GUEST: Chain = chain![SessionIfAny<User>];
const USER: Chain = chain![RequireSession<User>];

fn login() -> FlowDef {
    flow!("login", POST "/login", before: GUEST, steps: [begin, welcome])
}

fn visit() -> FlowDef {
    flow!("visit", POST "/visit", before: USER, steps: [count, greet])
}

fn app() -> App {
    App::new()
        .flow(login())
        .flow(flow!("home", GET "/home", before: GUEST, steps: [greet_any]))
        .flow(visit())
        .flow(flow!("logout", POST "/logout", before: USER, steps: [end, goodbye]))
        .interpreter(SessionKeys::new([1; 32]).unwrap())
}

/// Sends a request, and returns the status, the cookie that is set, and the body.
fn ask(addr: SocketAddr, line: &str, headers: &str) -> (u16, Option<String>, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nhost: test\r\n{headers}connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).map(str::to_owned);
    (head.split(' ').nth(1).unwrap().parse().unwrap(), cookie, body.to_owned())
}

fn log_in(addr: SocketAddr, name: &str, headers: &str) -> String {
    let (status, cookie, _) = ask(addr, &format!("POST /login?name={name}"), headers);
    assert_eq!(status, 204);
    let cookie = cookie.unwrap();
    assert!(cookie.ends_with("; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

fn with(cookie: &str) -> String {
    format!("cookie: {cookie}\r\n")
}

#[test]
fn a_session_lasts_from_login_to_logout() {
    let service = start(app(), StartOptions::default());
    let addr = service.addr();
    let cookie = log_in(addr, "ann", "");
    assert!(cookie.starts_with("__Host-session=") && cookie.len() < 150, "{cookie}");
    assert_eq!(ask(addr, "POST /visit", &with(&cookie)).2, "ann 0");
    assert_eq!(ask(addr, "POST /visit", &with(&cookie)).2, "ann 1");
    assert_eq!(ask(addr, "GET /home", &with(&cookie)).2, "ann");
    assert_eq!(ask(addr, "GET /home", "").2, "nobody");
    assert_eq!(ask(addr, "POST /visit", "").0, 401);
    let (status, removal, _) = ask(addr, "POST /logout", &with(&cookie));
    assert!(status == 204 && removal.unwrap().starts_with("__Host-session=; Path=/; Max-Age=0"));
    assert_eq!(ask(addr, "POST /visit", &with(&cookie)).0, 401, "the cookie alone is no session");
    assert_eq!(ask(addr, "GET /home", &with(&cookie)).2, "nobody");
    service.stop();
}

#[test]
fn a_login_has_a_new_id_and_ends_the_old_session() {
    let service = start(app(), StartOptions::default());
    let addr = service.addr();
    let planted = log_in(addr, "mallory", "");
    let own = log_in(addr, "ann", &with(&planted));
    assert_ne!(planted, own);
    assert_eq!(ask(addr, "GET /home", &with(&planted)).2, "nobody", "the attacker does not become ann");
    assert_eq!(ask(addr, "GET /home", &with(&own)).2, "ann");
    service.stop();
}

#[test]
fn odd_cookies_are_refused() {
    let service = start(app(), StartOptions::default());
    let addr = service.addr();
    let cookie = log_in(addr, "ann", "");
    let (status, _, body) = ask(addr, "POST /visit", &with(&format!("__Host-session={}", "x".repeat(8192))));
    assert!(
        status == 400 && body.contains("the session cookie is longer than any that this service sets"),
        "{body}"
    );
    assert_eq!(ask(addr, "POST /visit", &with(&format!("{cookie}; a={}", "x".repeat(8192)))).0, 200);
    assert_eq!(ask(addr, "POST /visit", &with(&format!("{cookie}; {cookie}"))).0, 400);
    let (start_, end_) = cookie.split_at(cookie.len() - 1);
    let other = if end_ == "A" { "B" } else { "A" };
    let (status, _, body) = ask(addr, "POST /visit", &with(&format!("{start_}{other}")));
    assert!(status == 401 && body.contains("session cookie"), "{status} {body}");
    let cross = format!("{}sec-fetch-site: cross-site\r\n", with(&cookie));
    assert_eq!((ask(addr, "POST /visit", &cross).0, ask(addr, "GET /home", &cross).0), (403, 200));
    service.stop();
}

#[test]
fn cookies_are_not_recorded_in_clear_and_replays_need_no_keys() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(RecorderOptions::new(dir.path())).unwrap();
    let service = start(app(), StartOptions { sink: Some(recorder.sink()), ..StartOptions::default() });
    let cookie = log_in(service.addr(), "ann", "");
    assert_eq!(ask(service.addr(), "POST /visit", &with(&cookie)).0, 200);
    service.stop();
    recorder.close();
    let value = cookie.strip_prefix("__Host-session=").unwrap();
    let id = value.split('.').next().unwrap();
    let stored = std::fs::read(dir.path().join("traces.redb")).unwrap();
    assert!(!stored.windows(id.len()).any(|window| window == id.as_bytes()));
    let reader = Reader::open(dir.path()).unwrap();
    let summaries: Vec<_> = reader.list(&zerver_trace::Query::default()).unwrap();
    assert_eq!(summaries.len(), 2);
    for summary in summaries {
        let trace = reader.load(summary.id).unwrap().unwrap();
        let shown = format!("{trace:?}");
        assert!(!shown.contains(id) && shown.contains("zerver-session"), "{shown}");
        // A replay has neither the keys nor the store, and issues the same cookie.
        let flow = if trace.flow.name == "login" { login() } else { visit() };
        let secrets = reader.open_secrets(&trace).map(Secrets).unwrap();
        let (same, report) = verdict(&flow, trace, secrets);
        assert_eq!(same, "same", "{report}");
    }
}
