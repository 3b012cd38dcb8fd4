//! The smallest service: one flow, one step. `cargo run --example hello`, then
//! `curl http://127.0.0.1:3000/hello/you`. Its tests wait on `/slow/300`.

use zerver::effects::sleep;
use zerver::prelude::*;

#[step]
fn hello(request: &Request) -> Response {
    Response::text(format!("hello, {}", request.param_str("name").unwrap_or("you")))
}

#[step]
fn wait(request: &Request) -> Result<Decision<()>, Failure> {
    Ok(Need(sleep(request.param::<u64>("ms")?.millis())))
}

fn app() -> App {
    App::new()
        .flow(flow!("hello", GET "/hello/{name}", steps: [hello]))
        .flow(flow!("slow", GET "/slow/{ms}", steps: [wait, hello]))
}

zerver::main!(app);
