//! The benchmarked service, written for zerver.

use std::net::SocketAddr;
use std::time::Duration;

use zerver::StartOptions;
use zerver::effects::kv;
use zerver::prelude::*;
use zerver_fleet::{Shipper, ShipperOptions, UrlError};
use zerver_recorder::{Recorder, RecorderOptions, RecordingPolicy};

use super::memory;

/// The authenticated user.
#[slot]
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    pub(crate) roles: Vec<String>,
}

/// A todo.
#[slot]
#[derive(Debug, Clone)]
pub(crate) struct Todo {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) completed: bool,
    pub(crate) order: u64,
}

/// Several todos.
#[slot]
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) page: u64,
    pub(crate) todos: Vec<Todo>,
}

impl Claims {
    pub(crate) fn admin(sub: String) -> Self {
        Self { sub, roles: vec!["writer".to_owned(), "admin".to_owned()] }
    }
}

impl Todo {
    pub(crate) fn milk() -> Self {
        Self { id: 7, title: "Buy milk".to_owned(), completed: false, order: 7 }
    }

    pub(crate) fn numbered(id: u64) -> Self {
        Self { id, title: format!("Todo {id}"), completed: false, order: id }
    }
}

#[slot(secret)]
#[derive(Debug)]
struct AuthHeader(String);

#[slot]
#[derive(Debug)]
struct TodoId(u64);

#[step]
fn parse_auth(request: &Request) -> Result<AuthHeader, Failure> {
    request.bearer().map(|token| AuthHeader(token.to_owned())).ok_or_else(|| Failure::unauthorized("session"))
}

#[step]
fn lookup_user(auth: &AuthHeader) -> Decision<Shared<Claims>> {
    Need(kv::get_shared::<Claims>(("user", auth.0.as_str())).or_not_found("user", ""))
}

#[step]
fn verify_roles(claims: &Claims) -> Result<(), Failure> {
    match claims.roles.iter().any(|role| role == "admin") {
        true => Ok(()),
        false => Err(Failure::forbidden("user")),
    }
}

#[step]
fn parse_id(request: &Request) -> Result<TodoId, Failure> {
    request.param("id").map(TodoId)
}

#[step]
fn load_todo(id: &TodoId) -> Decision<Shared<Todo>> {
    Need(kv::get_shared::<Todo>(("todo", id.0)).or_not_found("todo", id.0))
}

#[step]
fn render_todo(todo: &Todo) -> Response {
    Response::json(todo)
}

#[slot]
#[derive(Debug)]
struct PageId(u64);

#[step]
fn parse_page_id(request: &Request) -> Result<PageId, Failure> {
    request.param("id").map(PageId)
}

#[step]
fn load_page(id: &PageId) -> Decision<Shared<Page>> {
    Need(kv::get_shared::<Page>(("page", id.0)).or_not_found("page", id.0))
}

#[step]
fn render_page(page: &Page) -> Response {
    Response::json(page)
}

#[step]
fn seed() -> Decision<()> {
    let users = memory::users().map(|(token, claims)| kv::put(("user", token), claims));
    let todos = memory::todos().map(|todo| kv::put(("todo", todo.id), todo));
    let pages = memory::pages().map(|(id, page)| kv::put(("page", id), page));
    Need(join_all(users.chain(todos).chain(pages)).map(drop))
}

#[step]
fn seeded() -> Response {
    Response::no_content()
}

const AUTH: Chain = chain![parse_auth, lookup_user, verify_roles];

/// The measured flow.
pub(crate) fn item() -> FlowDef {
    flow!("todos-item", GET "/v1/todos/{id}", before: AUTH, steps: [parse_id, load_todo, render_todo])
}

fn page() -> FlowDef {
    flow!("todos-page", GET "/v1/pages/{id}", before: AUTH, steps: [parse_page_id, load_page, render_page])
}

/// Serves the flow until `ready` returns. Without a policy nothing is recorded. `is_fleet_down` is true if what is recorded
/// is to be shipped, and cannot.
pub(crate) fn serve(
    policy: Option<RecordingPolicy>,
    is_fleet_down: bool,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), String> {
    let recorder = policy.map(open).transpose()?;
    let shipper = recorder.as_ref().filter(|_| is_fleet_down).map(ship_in_vain).transpose()?;
    let settings = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        sink: recorder.as_ref().map(Recorder::sink),
        ..StartOptions::default()
    };
    let running = App::new()
        .flow(item())
        .flow(page())
        .flow(flow!("seed", POST "/seed", steps: [seed, seeded]))
        .workers(1)
        .start(settings)
        .map_err(|error| error.to_string())?;
    store_fixtures(running.addr()).map_err(|error| error.to_string())?;
    ready(running.addr());
    running.stop();
    let closed = recorder.map(Recorder::close);
    if let Some(status) = shipper.map(|shipper| shipper.stop(Duration::ZERO))
        && (status.is_online || status.shipped > 0 || status.failures == 0)
    {
        return Err(format!("the fleet was not down: {status:?}"));
    }
    match closed {
        Some(status) if status.dropped + status.lost > 0 => {
            Err(format!("not every request was recorded: {status:?}"))
        }
        _ => Ok(()),
    }
}

/// Starts to ship to a port without a listener.
fn ship_in_vain(recorder: &Recorder) -> Result<Shipper, String> {
    let url = "postgres://zerver@127.0.0.1:1/zerver".parse().map_err(|error: UrlError| error.to_string())?;
    let every = Duration::from_secs(1);
    let options = ShipperOptions { url, every, name: "bench".to_owned(), max_per_second: u32::MAX };
    Shipper::start(recorder.spool(), options, |_| {}).map_err(|error| error.to_string())
}

pub(super) fn open(policy: RecordingPolicy) -> Result<Recorder, String> {
    let dir = std::env::var_os("ZERVER_STORE").ok_or("ZERVER_STORE is not set")?;
    // Server and writer share one core, and requests arrive as fast as they are answered. What the writer has not written then
    // waits, and its work counts as well; a trace that is dropped would cost nothing.
    let queue = RecorderOptions { queue_len: 1 << 20, queue_bytes: 8 << 30, ..RecorderOptions::new(dir) };
    let options = RecorderOptions { policy, max_bytes: Some(16 << 30), ..queue };
    Recorder::open(options).map_err(|error| error.to_string())
}

/// Stores the user and the todo by a request, as a client would.
fn store_fixtures(addr: SocketAddr) -> std::io::Result<()> {
    use std::io::{Error, Read, Write};
    let mut stream = std::net::TcpStream::connect(addr)?;
    stream
        .write_all(b"POST /seed HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 204") { Ok(()) } else { Err(Error::other(answer)) }
}
