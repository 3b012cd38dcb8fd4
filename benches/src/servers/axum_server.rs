//! The service of `todos` as an axum handler.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};

use super::memory::Memory;
use super::single_thread;
use super::todos::Todo;

async fn show(
    State(memory): State<Arc<Memory>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Arc<Todo>>, StatusCode> {
    memory.show(&headers, id).map(Json)
}

pub(crate) fn serve(ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    run(Router::new().route("/v1/todos/{id}", get(show)).with_state(Memory::new()), ready)
}

/// Serves a router on one thread.
pub(crate) fn run(app: Router, ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    run_with(move || Ok(app), ready)
}

/// Serves a router that is created within the runtime.
pub(crate) fn run_with(
    app: impl FnOnce() -> Result<Router, String>,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) -> Result<(), String> {
    single_thread::serve(ready, async |listener| {
        let app = app()?;
        let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
        axum::serve(listener, app).await.map_err(|error| error.to_string())
    })
}
