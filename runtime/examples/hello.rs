//! A minimal service. Run `cargo run --example hello`, then `curl http://127.0.0.1:3000/hello/you`. Tests use `/slow/{ms}` for
//! requests that take time.

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
