//! The same service as in `todos`, as an axum handler: one thread, state in hash maps behind locks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};

use crate::todos::{Claims, Todo};

#[derive(Clone)]
struct Data {
    users: Arc<RwLock<HashMap<String, Claims>>>,
    todos: Arc<RwLock<HashMap<u64, Todo>>>,
}

async fn show(
    State(data): State<Data>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Todo>, StatusCode> {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = header.and_then(|text| text.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    let claims = {
        let users = data.users.read().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        users.get(token).cloned().ok_or(StatusCode::UNAUTHORIZED)?
    };
    if !claims.roles.iter().any(|role| role == "admin") {
        return Err(StatusCode::FORBIDDEN);
    }
    let todos = data.todos.read().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    todos.get(&id).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}

pub(crate) fn serve(ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    let data = Data {
        users: Arc::new(RwLock::new(HashMap::from([("ann-token".to_owned(), Claims::ann())]))),
        todos: Arc::new(RwLock::new(HashMap::from([(7, Todo::milk())]))),
    };
    run(Router::new().route("/v1/todos/{id}", get(show)).with_state(data), ready)
}

/// Serves it on one thread.
pub(crate) fn run(app: Router, ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let listener =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let addr = listener.local_addr().map_err(|error| error.to_string())?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            ready(addr);
            let _ = stop.send(());
        });
        let serve = axum::serve(listener, app);
        tokio::select! {
            result = async { serve.await } => result.map_err(|error| error.to_string()),
            _ = stopped => Ok(()),
        }
    })
}
