//! The service of `todos` as an axum handler.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};

use zerver_tower::{Keep, Recording};

use super::memory::{Memory, Page};
use super::single_thread;
use super::todos::Todo;

async fn show(
    State(memory): State<Arc<Memory>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Arc<Todo>>, StatusCode> {
    memory.show(&headers, id).map(Json)
}

async fn show_page(
    State(memory): State<Arc<Memory>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Arc<Page>>, StatusCode> {
    memory.show_page(&headers, id).map(Json)
}

fn router() -> Router {
    let routes = Router::new().route("/v1/todos/{id}", get(show)).route("/v1/pages/{id}", get(show_page));
    routes.with_state(Memory::new())
}

pub(crate) fn serve(ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    run(router(), ready)
}

/// Serves the same service behind the layer of `zerver-tower`.
pub(crate) fn serve_recorded(
    keep: Keep,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) -> Result<(), String> {
    let store = std::env::var_os("ZERVER_STORE").ok_or("ZERVER_STORE is not set")?;
    let recording = Recording { store: Some(store.into()), keep, ..Recording::default() };
    let record = zerver_tower::try_record_with(recording).map_err(|error| error.to_string())?;
    run(router().layer(record.clone()), ready)?;
    record.flush();
    match record.status() {
        Some(status) if status.dropped + status.lost == 0 => Ok(()),
        status => Err(format!("not every request was recorded: {status:?}")),
    }
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
