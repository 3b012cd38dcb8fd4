//! Requests about the service itself: health, metrics, documents, and status polls by zerver's own tools. They are not recorded.

use http::{Method, StatusCode};
use zerver_engine::{Request, Response};

use crate::execution::active_request::ActiveRequest;
use crate::http::headers::local_client::is_local_client;
use crate::scheduler;
use crate::server::readiness::StartupStage;
use crate::server::service::Service;
use crate::server::workers::worker::Worker;

/// Path at which zerver's own tools poll a service.
pub(crate) const STATUS_PATH: &str = "/.zerver/status";

/// Returns true if the request is a poll by one of zerver's own tools on this machine. Polls are answered before the
/// request is checked or routed and are never recorded, so that neither a flow that matches every path nor the list of
/// allowed hosts makes them look like traffic.
pub(crate) fn is_status_poll(request: &Request) -> bool {
    request.uri.path() == STATUS_PATH && request.method == Method::GET && is_local_client(request)
}

/// Request to the service itself.
pub(crate) enum OwnEndpoint {
    Health {
        is_local: bool,
        /// True if the request only checks that the service is alive, not that it is ready.
        is_liveness: bool,
    },
    /// The catalog of the flows.
    Catalog,
    /// The OpenAPI document.
    OpenApi,
    /// Contains the headers of the request.
    #[cfg(feature = "metrics")]
    Metrics(http::HeaderMap),
}

pub(crate) fn own_endpoint(active: &mut ActiveRequest, service: &Service) -> Option<OwnEndpoint> {
    let request = active.request().filter(|request| matches!(request.method, Method::GET | Method::HEAD))?;
    let path = Some(request.uri.path());
    if service.health_path.as_deref() == path {
        let is_liveness = request.uri.query() == Some("live");
        return Some(OwnEndpoint::Health { is_local: is_local_client(request), is_liveness });
    }
    if service.catalog_path.as_deref() == path && is_local_client(request) {
        return Some(OwnEndpoint::Catalog);
    }
    if service.openapi_path.as_deref() == path {
        return Some(OwnEndpoint::OpenApi);
    }
    #[cfg(feature = "metrics")]
    if service.metrics.path.as_deref() == path && (service.metrics.remote || is_local_client(request)) {
        return Some(OwnEndpoint::Metrics(std::mem::take(&mut request.headers)));
    }
    None
}

pub(crate) fn health(worker: &Worker, is_local: bool, is_liveness: bool) -> Response {
    let (mut is_healthy, mut report) = scheduler::health(
        &worker.worker_context.registry,
        &worker.service.scheduler,
        &worker.worker_context.service_clock,
        is_local,
    );
    let (status, reason) = match worker.service.readiness.stage() {
        StartupStage::Ready => (None, None),
        StartupStage::Starting => (Some("starting"), None),
        StartupStage::Failed(reason) => (Some("failed"), Some(reason)),
    };
    if let Some(status) = status.filter(|_| is_healthy) {
        (is_healthy, report["status"]) = (is_liveness, status.into());
    }
    let problems = worker.service.readiness.interpreters().problems();
    if !problems.is_empty() && report["status"] == "ok" {
        report["status"] = "degraded".into();
    }
    if !problems.is_empty() && is_local {
        report["problems"] = problems.into_iter().collect();
    }
    if let Some(reason) = reason.filter(|_| is_local) {
        report["reason"] = (*reason).into();
    }
    let status = if is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Response::json(&report).status(status)
}
