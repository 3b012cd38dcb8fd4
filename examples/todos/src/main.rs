//! A todo service in steps.
//!
//! The public part, `/todos`, is the Todo-Backend API (<https://todobackend.com>). The private part, `/v1/todos`, asks an
//! identity provider for the user. `/reports/todos` is slow on purpose. The same program serves the upstreams on a separate
//! port: see `upstream`.

#![allow(unreachable_pub)]

mod auth;
mod model;
mod private;
mod public;
mod reports;
// As written by `zerver export corpus/item.zrv --test`.
#[cfg(test)]
#[rustfmt::skip]
mod todos_item_200;
mod upstream;

use std::path::PathBuf;
use std::time::Duration;

use zerver::effects::{http, kv};
use zerver::prelude::*;
use zerver::{BoxError, Startup};

zerver::main!(app);

/// Opens what the service needs: its data, and its upstreams.
fn open_resources(startup: &mut Startup) -> Result<(), BoxError> {
    let upstream = upstream::serve()?;
    startup.interpreter(
        http::Client::builder()
            .resolve("identity.internal", upstream.addr())
            .resolve("figures.internal", upstream.addr())
            .build(),
    );
    startup.keep(upstream);
    match std::env::var_os("TODOS_DATA") {
        Some(memory) if memory == "memory" => {}
        Some(path) => startup.interpreter(kv::Disk::open(path)?),
        None => startup.interpreter(kv::Disk::open(data_folder().join("todos.redb"))?),
    }
    Ok(())
}

/// Returns the folder for data: the store, or by default `.zerver` in the package, wherever the service was started.
/// `zerver dev` and `cargo run` set the variable for the package.
fn data_folder() -> PathBuf {
    let store = std::env::var_os("ZERVER_STORE").map(PathBuf::from);
    store.unwrap_or_else(|| {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        package.unwrap_or_default().join(".zerver")
    })
}

/// Objectives of the private todos.
const OBJECTIVES: Slo = Slo::new().p95(Duration::from_millis(500)).errors(0.01);

fn app() -> App {
    App::new()
        .api("Todos", env!("CARGO_PKG_VERSION"))
        .on_startup(open_resources)
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
        .flow(flow!("todos-item", GET "/v1/todos/{id}", owner: "accounts", slo: OBJECTIVES, before: auth::AUTH, steps: [
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
