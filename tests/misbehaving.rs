//! A service whose steps do, when they are replayed, what no step should: end the process, or never end.

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
fn look(now: &Now) -> Response {
    let is_same = std::time::SystemTime::now() == now.system_time();
    Response::text(format!("{is_same} {:?}", std::time::SystemTime::now()))
}

#[step]
fn panic(request: &Request) -> Response {
    panic!("{} has no answer", request.uri.path())
}

fn app() -> App {
    App::new()
        .flow(flow!("abort", GET "/abort", steps: [fine, abort]))
        .flow(flow!("spin", GET "/spin", steps: [fine, spin]))
        .flow(flow!("look", GET "/look", steps: [fine, look]))
        .flow(flow!("panic", GET "/panic", steps: [fine, panic]))
}
