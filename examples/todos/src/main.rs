//! A todo service in steps.
//!
//! Its public part is the Todo-Backend API (<https://todobackend.com>) at `/todos`; its private part, `/v1/todos`, asks
//! an identity provider who is calling; `/reports/todos` is slow on purpose. What it asks over HTTP, the same program
//! serves on a port of its own: see `upstream`.

#![allow(clippy::print_stderr, unreachable_pub)]

mod auth;
mod model;
mod private;
mod public;
mod reports;
mod upstream;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use zerver::prelude::*;

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let upstream =
        upstream::serve().map_err(|error| format!("cannot serve the identity provider: {error}"))?;
    let app = app(upstream.addr());
    let data = std::env::var("TODOS_DATA").unwrap_or_else(|_| "todos.redb".to_owned());
    let code = match data.as_str() {
        "memory" => app.run(),
        path => {
            let disk =
                kv::Disk::open(path).map_err(|error| format!("cannot open the todos in {path}: {error}"))?;
            app.interpreter(disk).run()
        }
    };
    upstream.stop();
    Ok(code)
}

/// The service, with everything it asks over HTTP at `upstream`.
fn app(upstream: SocketAddr) -> App {
    let client = http::Client::builder()
        .resolve("identity.internal", upstream)
        .resolve("figures.internal", upstream)
        .build();
    App::new()
        .interpreter(client)
        .on_failure(|failure, request| public::allow_any_origin(failure.to_response(), request))
        .flow(flow!("todos-list", GET "/todos", steps: [public::list_todos, public::render_list]).class(Class::Interactive))
        .flow(flow!("todos-create", POST "/todos", steps: [
            public::parse_new_todo, public::next_id, public::make_todo, public::store_todo, public::render_created,
        ]))
        .flow(flow!("todos-clear", DELETE "/todos", steps: [public::clear_todos, public::render_gone]))
        .flow(flow!("todo-show", GET "/todos/{id}", steps: [
            public::parse_id, public::load_todo, public::render_todo,
        ]).class(Class::Interactive))
        .flow(flow!("todo-change", PATCH "/todos/{id}", steps: [
            public::parse_id, public::parse_change, public::load_todo, public::change_todo, public::store_changed,
            public::render_changed,
        ]))
        .flow(flow!("todo-delete", DELETE "/todos/{id}", steps: [
            public::parse_id, public::delete_todo, public::render_gone,
        ]))
        .flow(flow!("todos-preflight", OPTIONS "/todos", steps: [public::preflight]))
        .flow(flow!("todo-preflight", OPTIONS "/todos/{id}", steps: [public::preflight]))
        .flow(flow!("todos-item", GET "/v1/todos/{id}", before: auth::AUTH, steps: [
            public::parse_id, public::load_todo, private::render_for_user,
        ]).class(Class::Interactive))
        .flow(flow!("todos-add", POST "/v1/todos", before: auth::AUTH, steps: [
            private::require_writer, public::parse_new_todo, private::parse_idempotency_key, public::next_id,
            private::claim_key, private::make_once, public::store_todo, private::render_once,
        ]))
        .flow(flow!("report", GET "/reports/todos", steps: [
            reports::parse_report, reports::gather, reports::render_report,
        ]).class(Class::Batch))
}
