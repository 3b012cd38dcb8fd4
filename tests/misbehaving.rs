//! A service whose steps do, when they are replayed, what no step should: end the process, never end, or sleep. One asks
//! whom it is told to ask, and is to ask nobody then.

use zerver::effects::{http, kv, sleep};
use zerver::prelude::*;

zerver::main!(app);

/// Whether it is replayed; a step must not ask for that either.
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

/// What it says is not the same twice.
#[step]
fn look(now: &ArrivalTime) -> Response {
    let is_same = std::time::SystemTime::now() == now.system_time();
    Response::text(format!("{is_same} {:?}", std::time::SystemTime::now()))
}

#[step]
fn panic(request: &Request) -> Response {
    panic!("{} has no answer{}", request.uri.path(), request.query("note").unwrap_or_default())
}

/// Whether the store answered.
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

/// What it does about a store that fails is worse than that.
#[step]
fn fragile(stored: &Stored) -> Response {
    match stored.0.as_deref() {
        None => Response::text("fine"),
        Some("internal") => std::process::abort(),
        Some(kind) => panic!("{kind} was not expected"),
    }
}

/// In milliseconds.
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

/// What it was told.
#[derive(Slot, Serialize, Deserialize)]
struct Told(String);

#[step]
fn ask_out(request: &Request) -> Result<Decision<Told>, Failure> {
    let addr: Option<String> = request.query_as("addr")?;
    let addr = addr.ok_or_else(|| Failure::invalid("addr"))?;
    Ok(Need(http::get(format!("http://{addr}/")).text().map(Told)))
}

#[step]
fn tell(told: &Told) -> Response {
    Response::text(told.0.clone())
}

fn app() -> App {
    App::new()
        .flow(flow!("abort", GET "/abort", steps: [fine, abort]))
        .flow(flow!("spin", GET "/spin", steps: [fine, spin]))
        .flow(flow!("look", GET "/look", steps: [fine, look]))
        .flow(flow!("fragile", GET "/fragile", steps: [ask, fragile]))
        .flow(flow!("nap", GET "/nap", steps: [tire, nap, wake]))
        .flow(flow!("asks", GET "/asks", steps: [ask_out, tell]))
        .flow(flow!("panic", GET "/panic", steps: [fine, panic]))
}
