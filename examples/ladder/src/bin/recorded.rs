//! A test made from a recorded request.
//!
//! `zerver export @last --test` wrote the test below from a request to this service, and says where it belongs. It
//! needs neither the store nor the network: effects give what they gave when the request was recorded.

use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new().flow(flow!("visit", GET "/visits/{name}", steps: [count, greet]))
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Visits(i64);

#[step]
fn count(request: &Request) -> Decision<Visits> {
    Need(kv::add(("visits", request.param_str("name").unwrap_or_default()), 1).map(Visits))
}

#[step]
fn greet(request: &Request, visits: &Visits) -> Response {
    let name = request.param_str("name").unwrap_or_default();
    Response::text(format!("welcome, {name}; visit {}\n", visits.0))
}
