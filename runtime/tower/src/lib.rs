//! Records an existing service into a store of zerver, so that `zerver ls`, `trace`, `diff`, `why`, the terminal UI and the web UI
//! work on its requests. The service stays as it is: this is a layer for axum, tonic, and every other service of tower.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tracing_subscriber::layer::SubscriberExt as _;
//! use tracing_subscriber::util::SubscriberInitExt as _;
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! tracing_subscriber::registry().with(zerver_tower::spans()).init();
//! let app = Router::new()
//!     .route("/hello/{name}", get(|| async { "hello" }))
//!     .layer(zerver_tower::record(".zerver"));
//! let listener = zerver_tower::listener("127.0.0.1:3000").await?;
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`record`] keeps requests and responses with the beginnings of their bodies, their times and outcomes. [`spans`] adds what the
//! handlers do, as far as they say so through [`tracing`]: spans, events, and the queries of sqlx. [`listener`] is needed only for
//! `zerver dev`, which owns the socket.
//!
//! # What is not known
//!
//! A layer sees a handler from outside. Its CPU time, its waiting in queues and its values are unknown, and zerver cannot run it
//! again. The trace says so, and `zerver replay` refuses.
//!
//! # Bodies
//!
//! Bodies stream through untouched: nothing is buffered but the first bytes, up to [`Recording::body_bytes`]. The layer replaces the
//! types of bodies, so a service that takes requests with one type of body only, such as `hyper::body::Incoming`, must become generic
//! over it. axum and tonic are.
//!
//! # Shutdown
//!
//! Dropping the last clone of the layer, which happens when the server ends, writes everything that was recorded. A process that a
//! signal kills loses what it has recorded in the last fraction of a second: use `axum::serve(..).with_graceful_shutdown(..)`.

#![warn(missing_debug_implementations)]

mod body_prefix;
mod exchange;
mod flow_table;
mod grpc_status;
mod messages;
mod open_store;
mod record;
mod request_body;
mod response_body;
mod response_future;
mod route;
mod service;
mod spans;
mod tracked;

use std::path::PathBuf;

pub use record::{Record, record_with, record_with_flows, try_record_with};
pub use request_body::RequestBody;
pub use response_body::ResponseBody;
pub use response_future::ResponseFuture;
pub use service::{RecordService, RecordedRequest};
pub use spans::{Spans, spans};
pub use zerver::{Keep, Recording, StartError};
pub use zerver_recorder::RecorderStatus;
pub use zerver_trace::RequestId;

/// Returns a layer that records into the store in this directory, which is created if necessary.
///
/// A debug build keeps every request, and a release build what [`Keep::Tail`] keeps. `zerver.toml` and the environment override this
/// and the directory, as for a service of zerver; [`record_with`] takes the settings of the program.
///
/// If the store cannot be opened, for example because another process records into it, a warning says why, and requests pass
/// unrecorded. [`try_record`] returns the error instead.
pub fn record(dir: impl Into<PathBuf>) -> Record {
    record_with(default_recording(dir.into()))
}

/// Returns the layer of [`record`].
///
/// # Errors
/// If a setting is invalid, or the store cannot be opened.
pub fn try_record(dir: impl Into<PathBuf>) -> Result<Record, StartError> {
    try_record_with(default_recording(dir.into()))
}

fn default_recording(dir: PathBuf) -> Recording {
    let keep = if cfg!(debug_assertions) { Keep::All } else { Keep::Tail };
    Recording { store: Some(dir), keep, ..Recording::default() }
}

/// Returns the socket that `zerver dev` or systemd passes to the program, and otherwise one that listens on this address. `addr` in
/// `zerver.toml` and `ZERVER_ADDR` override it.
///
/// # Errors
/// If a setting is invalid, or the address cannot be listened on.
pub async fn listener(addr: &str) -> Result<tokio::net::TcpListener, StartError> {
    let listener = zerver::layer::listen(addr)?;
    tokio::net::TcpListener::from_std(listener).map_err(StartError::Inherited)
}
