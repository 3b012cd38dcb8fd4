//! The flows of an app that another server serves.

use std::fmt;
use std::sync::Arc;

use tokio::runtime::EnterGuard;
use zerver_recorder::Recorder;
use zerver_trace::{FlowInfo, nearest_name};

use super::flow_service::FlowService;
use super::mounted_request::MountedRequest;
use crate::program::shipped_recorder::ShippedRecorder;
use crate::server::running_service::RunningService;
use crate::{App, Limits, StartError, StartOptions};

/// The flows of an [`App`] that another HTTP server serves, such as one of axum or hyper: see [`App::mount`].
///
/// Requests run on zerver's own workers. The flows stop when the last clone of this and of its services is dropped, as when
/// the host's router is: requests in flight are answered, and the recorded traces are written.
#[derive(Clone)]
#[must_use = "flows stop when this and all their services are dropped"]
pub struct MountedFlows {
    host: Arc<Host>,
}

impl fmt::Debug for MountedFlows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MountedFlows").field("flows", &self.host.names().collect::<Vec<_>>()).finish()
    }
}

impl App {
    /// Runs the flows for another HTTP server. Like [`run`](crate::run), this reads `zerver.toml` and the environment, runs
    /// the startup hook and records, but it does not listen: the services of the flows receive the requests.
    ///
    /// In `main`, call [`host_if_asked`](crate::host_if_asked) first, so that `zerver replay` can use the program.
    ///
    /// ```no_run
    /// use zerver::prelude::*;
    ///
    /// #[step]
    /// fn greet(request: &Request) -> Response {
    ///     Response::text(format!("hello, {}", request.param_str("name").unwrap_or("you")))
    /// }
    ///
    /// fn app() -> App {
    ///     App::new().flow(flow!("hello", GET "/hello/{name}", steps: [greet]))
    /// }
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     zerver::host_if_asked(app);
    ///     let flows = app().mount()?;
    ///     let router = axum::Router::new()
    ///         .route("/", axum::routing::get(|| async { "not a flow" }))
    ///         .route_service("/hello/{name}", flows.service("hello"));
    ///     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    ///     axum::serve(listener, router).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`App::start`], and if the settings or the store cannot be used.
    pub fn mount(self) -> Result<MountedFlows, StartError> {
        let recorded = self.recorded()?;
        Host::start(recorded.app, recorded.options, recorded.recorder)
    }

    /// Does the same with these options. Neither the environment nor `zerver.toml` is read, and only the sink of the options
    /// records. The address and the listener of the options are not used.
    ///
    /// # Errors
    /// As [`App::start`].
    pub fn mount_with(self, options: StartOptions) -> Result<MountedFlows, StartError> {
        Host::start(self, options, None)
    }
}

impl MountedFlows {
    /// Returns the flow with this name as a service. It serves the paths that its route matches, and answers other methods
    /// and `OPTIONS` as HTTP requires.
    ///
    /// # Panics
    /// If there is no such flow, which a program should not find out later than when it starts.
    #[track_caller]
    pub fn service(&self, name: &str) -> FlowService {
        let flow = self.host.names().position(|known| known == name).and_then(|at| u16::try_from(at).ok());
        let Some(flow) = flow else {
            let names: Vec<_> = self.host.names().collect();
            let hint = match nearest_name(name, names.iter().copied()) {
                Some(nearest) => format!("did you mean {nearest:?}?"),
                None => format!("there are: {}", names.join(", ")),
            };
            panic!("there is no flow {name:?}; {hint}");
        };
        FlowService::new(Arc::clone(&self.host), Some(flow))
    }

    /// Returns a service that routes requests to all flows, and has the endpoints for health and metrics. It is meant as the
    /// fallback of a router.
    pub fn all(&self) -> FlowService {
        FlowService::new(Arc::clone(&self.host), None)
    }

    /// Returns the recorder, or `None` if nothing is recorded.
    pub(crate) fn recorder(&self) -> Option<&Recorder> {
        self.host.recorder.as_deref()
    }

    /// Returns the token with which a client may have a request recorded.
    pub(crate) fn record_token(&self) -> Option<&str> {
        self.host.running()?.service.record_token.as_deref()
    }

    /// Returns the flows.
    pub(crate) fn catalog(&self) -> Vec<Arc<FlowInfo>> {
        self.host.infos().cloned().collect()
    }

    /// Waits until the flows are ready, which means that the hook of
    /// [`App::on_startup_async`](crate::App::on_startup_async) has completed. Until then, requests are answered with 503.
    ///
    /// # Errors
    /// The error of the hook.
    pub async fn ready(&self) -> Result<(), StartError> {
        match self.host.running() {
            Some(running) => running.service.readiness.wait().await,
            None => Ok(()),
        }
    }
}

/// The running service behind all handles.
pub(super) struct Host {
    /// `None` once it stops.
    running: Option<RunningService>,
    limits: Limits,
    /// Recorder that ends with the service.
    recorder: Option<ShippedRecorder>,
}

impl Host {
    fn start(
        app: App,
        options: StartOptions,
        recorder: Option<ShippedRecorder>,
    ) -> Result<MountedFlows, StartError> {
        let running = RunningService::start(app.check()?.prepare(options)?, None)?;
        let limits = running.service.limits.clone();
        Ok(MountedFlows { host: Arc::new(Self { running: Some(running), limits, recorder }) })
    }

    const fn running(&self) -> Option<&RunningService> {
        self.running.as_ref()
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Enters the effect runtime, to which timers then belong.
    pub(super) fn enter(&self) -> Option<EnterGuard<'_>> {
        Some(self.running()?.service.effect_runtime.enter())
    }

    /// Gives a request to a worker. Returns false if there is none.
    pub(super) fn send(&self, request: MountedRequest) -> bool {
        self.running()
            .is_some_and(|running| running.worker_context.registry.assign_request(Box::new(request)))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.infos().map(|flow| flow.name.as_str())
    }

    fn infos(&self) -> impl Iterator<Item = &Arc<FlowInfo>> {
        let flows = self.running().map(|running| &*running.service.scheduler.flows);
        flows.into_iter().flatten().map(|flow| flow.info())
    }

    /// Returns true if requests to the flows are recorded by the recorder of the flows.
    pub(super) const fn is_recorded(&self) -> bool {
        self.recorder.is_some()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.close();
        }
    }
}
