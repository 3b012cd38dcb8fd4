//! The same as `busy` in axum, on one thread. Work is done where the handler runs, or handed to tokio's threads for what
//! blocks, as the manual says.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::axum_twin;
use crate::busy::{REPORT_US, SLEEP, WORK_US};
use crate::work::work;

pub(crate) fn serve(
    is_handed_over: bool,
    ready: impl FnOnce(SocketAddr) + Send + 'static,
) -> Result<(), String> {
    let long = move |us: u64| {
        get(move || async move {
            if !is_handed_over {
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
    axum_twin::run(app, ready)
}
