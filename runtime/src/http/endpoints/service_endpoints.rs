//! Requests about the service itself: health, metrics, and the status polls of zerver's own tools. They are not recorded.

use http::{Method, StatusCode};
use zerver_engine::{Request, Response};

use crate::execution::active_request::ActiveRequest;
use crate::http::headers::local_client::is_local_client;
use crate::scheduler;
use crate::server::readiness::StartupStage;
use crate::server::service::Service;
use crate::server::workers::worker::Worker;

/// The path at which zerver's own tools poll a service.
pub(crate) const STATUS_PATH: &str = "/.zerver/status";

/// Whether the request is a poll of zerver's own tools on this machine. It is answered before anything else looks at it,
/// and never recorded: neither a flow that takes every path nor the list of hosts makes polls look like traffic.
pub(crate) fn is_status_poll(request: &Request) -> bool {
    request.uri.path() == STATUS_PATH && request.method == Method::GET && is_local_client(request)
}

/// What somebody asks of the service itself.
pub(crate) enum OwnEndpoint {
    Health {
        is_local: bool,
        /// Only whether the service lives is asked, not whether it is ready.
        is_liveness: bool,
    },
    /// With these headers.
    Metrics(http::HeaderMap),
}

pub(crate) fn own_endpoint(active: &mut ActiveRequest, service: &Service) -> Option<OwnEndpoint> {
    let request = active.request().filter(|request| matches!(request.method, Method::GET | Method::HEAD))?;
    let path = Some(request.uri.path());
    if service.health_path.as_deref() == path {
        let is_liveness = request.uri.query() == Some("live");
        return Some(OwnEndpoint::Health { is_local: is_local_client(request), is_liveness });
    }
    let is_metrics =
        service.metrics.path.as_deref() == path && (service.metrics.remote || is_local_client(request));
    is_metrics.then(|| OwnEndpoint::Metrics(std::mem::take(&mut request.headers)))
}

pub(crate) fn health(worker: &Worker, is_local: bool, is_liveness: bool) -> Response {
    let (mut is_well, mut told) = scheduler::health(
        &worker.worker_context.registry,
        &worker.service.scheduler,
        &worker.worker_context.service_clock,
        is_local,
    );
    let (status, why) = match worker.service.readiness.stage() {
        StartupStage::Ready => (None, None),
        StartupStage::Starting => (Some("starting"), None),
        StartupStage::Failed(why) => (Some("failed"), Some(why)),
    };
    if let Some(status) = status.filter(|_| is_well) {
        (is_well, told["status"]) = (is_liveness, status.into());
    }
    if let Some(why) = why.filter(|_| is_local) {
        told["reason"] = (*why).into();
    }
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Response::json(&told).status(status)
}
