//! A service whose steps do what no step should when they are replayed: end the process, never return, or sleep. One
//! step calls an address of the client, which must not happen in a replay.

use zerver::effects::{http, kv, sleep};
use zerver::prelude::*;

zerver::main!(app);

/// Returns true in a replay. A step must not depend on that either.
fn is_replayed() -> bool {
    std::env::var_os("ZERVER_IPC").is_some()
}

#[step]
fn fine() -> Decision<()> {
    Continue(())
}

#[step]
fn abort() -> Response {
    if is_replayed() {
        std::process::abort();
    }
    Response::text("aborts")
}

#[step]
fn spin() -> Response {
    while is_replayed() {
        std::hint::spin_loop();
    }
    Response::text("spins")
}

/// Ends the process in a replay with a large number.
#[step]
fn picky(request: &Request) -> Result<Response, Failure> {
    let n: i64 = request.query_as("n")?.unwrap_or(0);
    if n > 100 && is_replayed() {
        std::process::abort();
    }
    Ok(Response::json(&(n > 100, n % 2, "constant")))
}

/// Returns a different response each time.
#[step]
fn look(now: &ArrivalTime) -> Response {
    let is_same = std::time::SystemTime::now() == now.system_time();
    Response::text(format!("{is_same} {:?}", std::time::SystemTime::now()))
}

#[step]
fn panic(request: &Request) -> Response {
    panic!("{} has no answer{}", request.uri.path(), request.query("note").unwrap_or_default())
}

/// Error of the store, if any.
#[derive(Slot, Serialize, Deserialize)]
struct Stored(Option<String>);

#[step]
fn ask() -> Decision<Stored> {
    Need(
        kv::get::<u64>("n")
            .attempt()
            .map(|stored| Stored(stored.err().map(|failure| failure.kind().to_string()))),
    )
}

/// Handles a failing store by making it worse.
#[step]
fn fragile(stored: &Stored) -> Response {
    match stored.0.as_deref() {
        None => Response::text("fine"),
        Some("internal") => std::process::abort(),
        Some(kind) => panic!("{kind} was not expected"),
    }
}

/// Duration in milliseconds.
#[derive(Slot, Serialize, Deserialize)]
struct Nap(u64);

#[step]
fn tire() -> Nap {
    Nap(1)
}

#[step]
fn nap(nap: &Nap) -> Decision<()> {
    Need(sleep(nap.0.millis()))
}

#[step]
fn wake() -> Response {
    Response::text("awake")
}

/// Response of the address.
#[derive(Slot, Serialize, Deserialize)]
struct Reply(String);

#[step]
fn ask_out(request: &Request) -> Result<Decision<Reply>, Failure> {
    let addr: Option<String> = request.query_as("addr")?;
    let addr = addr.ok_or_else(|| Failure::invalid("addr"))?;
    Ok(Need(http::get(format!("http://{addr}/")).text().map(Reply)))
}

#[step]
fn respond(reply: &Reply) -> Response {
    Response::text(reply.0.clone())
}

/// Keeps its worker from everything else.
#[step]
fn hog() -> Response {
    let began = std::time::Instant::now();
    while began.elapsed() < std::time::Duration::from_millis(40) {
        std::hint::spin_loop();
    }
    Response::text("hogs")
}

fn app() -> App {
    App::new()
        .flow(flow!("abort", GET "/abort", steps: [fine, abort]))
        .flow(flow!("spin", GET "/spin", steps: [fine, spin]))
        .flow(flow!("look", GET "/look", steps: [fine, look]))
        .flow(flow!("fragile", GET "/fragile", steps: [ask, fragile]))
        .flow(flow!("nap", GET "/nap", steps: [tire, nap, wake]))
        .flow(flow!("asks", GET "/asks", steps: [ask_out, respond]))
        .flow(flow!("hog", GET "/hog", steps: [fine, hog]))
        .flow(flow!("picky", GET "/picky", steps: [fine, picky]))
        .flow(flow!("panic", GET "/panic", steps: [fine, panic]))
}
