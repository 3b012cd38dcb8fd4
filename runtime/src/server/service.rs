//! State that all workers of a service share. Only the tuning of the scheduler changes while the service runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

#[cfg(feature = "metrics")]
use zerver_engine::service_docs::RecorderMetrics;
use zerver_engine::{Failure, Flow, RenderFailure, Request, Response};
use zerver_trace::{CaptureSink, FlowInfo, secret};

use super::readiness::Readiness;
use crate::Limits;
use crate::catalog::served_documents::ServedDocuments;
#[cfg(feature = "compression")]
use crate::config::Compression;
#[cfg(feature = "metrics")]
use crate::config::MetricsEndpoint;
use crate::execution::checked_job::PurityCheck;
use crate::execution::effect_runtime::EffectRuntime;
use crate::fallback::Fallback;
use crate::http::{BrowserRules, Router, TrustedProxies, UrlSecretCheck, tokens_match};
use crate::scheduler::SchedulerState;
#[cfg(feature = "tls")]
use crate::tls::CertificateStore;

/// Returns the status of the recorder.
#[cfg(feature = "metrics")]
pub(crate) type RecorderStatusFn = Box<dyn Fn() -> RecorderMetrics + Send + Sync>;

pub(crate) struct Service {
    pub(crate) router: Router,
    /// Startup stage of the service, and the interpreters of its effects.
    pub(crate) readiness: Readiness,
    pub(crate) effect_runtime: Arc<EffectRuntime>,
    pub(crate) render: RenderFailure,
    pub(crate) limits: Limits,
    /// Names of hosts that the service serves. Empty if it serves all.
    pub(crate) allowed_hosts: Vec<String>,
    /// Rules for requests of browsers. `None` if the settings ask for none.
    pub(crate) browser: Option<Box<BrowserRules>>,
    /// Certificates of the service. `None` if it does not use TLS.
    #[cfg(feature = "tls")]
    pub(crate) certificates: Option<Arc<CertificateStore>>,
    /// Proxies that tell the address of the client. `None` if none is trusted.
    pub(crate) proxies: Option<Box<TrustedProxies>>,
    /// True if the settings list hosts that receive the `baggage` of requests.
    pub(crate) passes_baggage: bool,
    #[cfg(feature = "compression")]
    pub(crate) compression: Compression,
    pub(crate) sink: Option<Arc<dyn CaptureSink>>,
    /// Rule that identifies secrets.
    pub(crate) secrets: secret::Rule,
    /// Token with which a request is recorded regardless of the recording policy.
    pub(crate) record_token: Option<String>,
    /// Set if secrets in URLs are reported.
    pub(crate) url_secrets: Option<UrlSecretCheck>,
    /// Set if each step runs twice.
    pub(crate) purity_check: Option<Arc<PurityCheck>>,
    pub(crate) scheduler: SchedulerState,
    /// Path of the health endpoint. A flow with the same path takes precedence.
    pub(crate) health_path: Option<String>,
    /// Documents about the flows.
    pub(crate) documents: ServedDocuments,
    /// Path of the catalog, likewise.
    pub(crate) catalog_path: Option<String>,
    /// Path of the OpenAPI document, likewise.
    pub(crate) openapi_path: Option<String>,
    #[cfg(feature = "metrics")]
    pub(crate) metrics: MetricsEndpoint,
    /// Status of the recorder. `None` if nothing is recorded.
    #[cfg(feature = "metrics")]
    pub(crate) recorder_status: Option<RecorderStatusFn>,
    /// The service that answers what no flow takes.
    pub(crate) fallback: Option<Fallback>,
    /// Recorded as the flow of requests that no flow handles.
    pub(crate) no_flow: Arc<FlowInfo>,
}

/// The service, as a worker shares it with its requests. Each worker has a separate reference count, so that cores do
/// not contend for it.
pub(crate) struct WorkerService(pub(crate) Arc<Service>);

impl std::ops::Deref for WorkerService {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.0
    }
}

impl Service {
    /// Returns true if a request has the header `x-zerver-record` with the right token, and must be recorded. Marks the
    /// headers that contain tokens for the service itself as secret.
    pub(crate) fn is_recording_requested(&self, request: &mut Request) -> bool {
        for rule in &self.scheduler.tuning().rules {
            rule.mark(&mut request.headers);
        }
        let Some(token) = &self.record_token else { return false };
        let Some(received) = request.headers.get_mut("x-zerver-record") else { return false };
        received.set_sensitive(true);
        tokens_match(received.as_bytes(), token.as_bytes())
    }

    /// Renders a failure with the function of the flow, if any, or that of the service. If it panics, renders a default
    /// response.
    pub(crate) fn render(&self, flow: Option<&Flow>, failure: &Failure, request: &Request) -> Response {
        match flow {
            Some(flow) => flow.render(failure, request),
            None => catch_unwind(AssertUnwindSafe(|| (self.render)(failure, request)))
                .unwrap_or_else(|_| failure.to_response()),
        }
    }
}
