//! What all workers of a running program share. Nothing of it changes while it runs, but the tuning of its schedule.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use zerver_engine::{Failure, Flow, RenderFailure, Request, Response};
use zerver_recorder::RecorderStatus;
use zerver_trace::{CaptureSink, FlowInfo, secret};

use super::readiness::Readiness;
use crate::Limits;
use crate::config::MetricsEndpoint;
use crate::execution::effect_runtime::EffectRuntime;
use crate::execution::purity_check::PurityCheck;
use crate::http::{Router, tokens_match};
use crate::scheduler::SchedulerState;

/// Tells how recording goes.
pub(crate) type RecorderStatusFn = Box<dyn Fn() -> RecorderStatus + Send + Sync>;

pub(crate) struct Service {
    pub(crate) router: Router,
    /// Also what performs effects.
    pub(crate) readiness: Readiness,
    pub(crate) effect_runtime: Arc<EffectRuntime>,
    pub(crate) render: RenderFailure,
    pub(crate) limits: Limits,
    /// Empty: all.
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) sink: Option<Arc<dyn CaptureSink>>,
    /// What counts as a secret.
    pub(crate) secrets: secret::Rule,
    /// What a request must show to be recorded whatever the policy says.
    pub(crate) record_token: Option<String>,
    /// Where each step runs twice.
    pub(crate) purity_check: Option<Arc<PurityCheck>>,
    pub(crate) scheduler: SchedulerState,
    /// Where to tell how it is, where no flow takes that path.
    pub(crate) health_path: Option<String>,
    pub(crate) metrics: MetricsEndpoint,
    /// How recording goes, where there is any.
    pub(crate) recorder_status: Option<RecorderStatusFn>,
    /// Stands in for the flow of requests which none takes.
    pub(crate) no_flow: Arc<FlowInfo>,
}

/// The service, as one worker shares it with its requests: how many there are is counted for each worker by itself, so
/// that no core waits for another.
pub(crate) struct WorkerService(pub(crate) Arc<Service>);

impl std::ops::Deref for WorkerService {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.0
    }
}

impl Service {
    /// Whether a request asks to be recorded, and may: by `x-zerver-record: <token>`. Tokens that are shown to the service
    /// itself are marked as secrets.
    pub(crate) fn is_recording_requested(&self, request: &mut Request) -> bool {
        for rule in &self.scheduler.tuning().rules {
            rule.mark(&mut request.headers);
        }
        let Some(token) = &self.record_token else { return false };
        let Some(shown) = request.headers.get_mut("x-zerver-record") else { return false };
        shown.set_sensitive(true);
        tokens_match(shown.as_bytes(), token.as_bytes())
    }

    /// The answer to a request that failed, of this flow if one takes it. The service's own rendering may panic.
    pub(crate) fn render(&self, flow: Option<&Flow>, failure: &Failure, request: &Request) -> Response {
        match flow {
            Some(flow) => flow.render(failure, request),
            None => catch_unwind(AssertUnwindSafe(|| (self.render)(failure, request)))
                .unwrap_or_else(|_| failure.to_response()),
        }
    }
}
