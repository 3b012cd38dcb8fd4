//! A service of axum, of which one route is a flow of zerver. Run it with `zerver dev`, and then:
//!
//! ```sh
//! curl localhost:3000
//! curl localhost:3000/hello/ann
//! ```

use axum::Router;
use axum::routing::get;
use zerver::effects::kv;
use zerver::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `zerver replay` and other commands start this program, too.
    zerver::host_if_asked(app);
    let flows = app().mount()?;
    let router = Router::new()
        .route("/", get(|| async { "this route is of axum\n" }))
        .route_service("/hello/{name}", flows.service("hello"))
        // The routes of axum are recorded, too.
        .layer(zerver_tower::record_with_flows(&flows));
    let listener = zerver_tower::listener("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).with_graceful_shutdown(shutdown()).await?;
    Ok(())
}

/// Completes once the program is asked to stop, so that requests in flight are answered and traces are written.
async fn shutdown() {
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        let _ = interrupt.await;
        return;
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate.recv() => {}
    }
}

fn app() -> App {
    App::new().flow(flow!("hello", GET "/hello/{name}", steps: [count_visit, greet]))
}

/// Number of visits of this person, this one included.
#[slot]
struct Visits(i64);

/// A step describes the I/O that it needs, and zerver performs it.
#[step]
fn count_visit(Path(name): Path<String>) -> Decision<Visits> {
    Need(kv::add(("visits", name), 1).map(Visits))
}

#[step]
fn greet(Path(name): Path<String>, visits: &Visits) -> Response {
    Response::text(format!("hi, {name}; visit {}\n", visits.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_is_counted() {
        let store = kv::Memory::new().entry(("visits", "ann"), 6);
        let response = app().test("hello").get("/hello/ann").kv(store).run();
        assert_eq!(response.text(), "hi, ann; visit 7\n");
    }
}
