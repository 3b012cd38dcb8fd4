//! The service of `busy` in axum, on one thread. Work runs in the handler, or on tokio's blocking threads, as tokio's
//! documentation recommends.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use super::axum_server;
use super::busy::{REPORT_US, SLEEP, WORK_US};
use super::cpu_work::work;

pub(crate) fn serve(
    is_offloaded: bool,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) -> Result<(), String> {
    let long = move |us: u64| {
        get(move || async move {
            if !is_offloaded {
                return Ok(work(us).to_string());
            }
            let done = tokio::task::spawn_blocking(move || work(us)).await;
            done.map(|done| done.to_string()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
        })
    };
    let sleep = || async {
        tokio::time::sleep(SLEEP).await;
        "ok"
    };
    let app = Router::new()
        .route("/quick", get(async || "ok"))
        .route("/report", long(REPORT_US))
        .route("/work/{class}", long(WORK_US))
        .route("/sleep", get(sleep));
    axum_server::run(app, ready)
}
