//! The host of replays. A program that was started with `ZERVER_IPC` runs the replays that are requested on that socket,
//! explains recorded calls, and ends when the other side hangs up. It opens no store, no listening socket, and no interpreters, unless some kinds of
//! effects are to be performed for real.

use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{any::Any, error::Error, io};

use zerver_engine::{EffectError, EffectErrorKind, Flow, Request};
use zerver_replay::wire::{Hello, HostReply, HostRequest, receive, send};
use zerver_replay::{
    Edits, ExplainCall, Progress, Recording, Replay, ReplayContext, ReplayError, Report, TargetLimits,
    removed_flow_report,
};
use zerver_trace::secret::Rule;

use super::live_performer::LivePerformer;
use super::virtual_timers::VirtualTimers;
use crate::app::startup::BoxError;
use crate::config::Config;
use crate::http::{RouteMatch, Router};
use crate::scheduler::TargetSettings;
use crate::{App, StartError, build_id};

/// Message of the error for a call that is not explained.
const CANNOT_EXPLAIN: &str = "cannot explain the call";
/// Size of the read buffer for requests, in bytes.
const READ_BUFFER: usize = 64 << 10;

/// Runs the requested replays until the other side hangs up.
pub(crate) fn serve(app: App, socket: &Path) -> Result<(), StartError> {
    zerver_engine::install_panic_hook();
    let flows = app.ready_flows()?.into_iter().map(HostedFlow::new).collect();
    let (deadline, rule) = (app.config().deadline, app.secrets());
    let targets = app.config().targets.clone();
    let mut host = Host { flows, deadline, targets, rule, unopened: Some(app), live: None };
    let result = UnixStream::connect(socket).and_then(|stream| host.answer_requests(stream));
    result.map_err(|error| StartError::Ipc { socket: socket.to_owned(), error })
}

struct Host {
    flows: Vec<HostedFlow>,
    deadline: Duration,
    targets: TargetSettings,
    rule: Rule,
    /// The app, until its startup hook runs.
    unopened: Option<App>,
    /// Performer of effects, opened by the first replay that performs effects for real.
    live: Option<LivePerformer>,
}

impl TargetLimits for TargetSettings {
    fn time_limit(&self, target: &str) -> Option<Duration> {
        self.policy(target).timeout
    }
}

impl Host {
    fn answer_requests(&mut self, mut stream: UnixStream) -> io::Result<()> {
        let mut requests = BufReader::with_capacity(READ_BUFFER, stream.try_clone()?);
        send(&mut stream, &Hello::new(build_id()))?;
        while let Some(request) = receive(&mut requests)? {
            let reply = match catch_unwind(AssertUnwindSafe(|| self.answer(&request, &mut stream))) {
                Ok(reply) => reply,
                Err(panic) => HostReply::Failed(panic_error(&*panic)),
            };
            send(&mut stream, &reply)?;
        }
        Ok(())
    }

    fn answer(&mut self, request: &HostRequest, stream: &mut UnixStream) -> HostReply {
        let result = match request {
            HostRequest::Explain { recording, call, analyze } => {
                return self.explain(recording, *call, *analyze, stream);
            }
            HostRequest::Replay(recording, edits) => match self.open_live_for(edits, stream) {
                // Steps are announced, so that the other side knows which step ran if the process ends.
                Ok(()) => self.with_replay(
                    recording,
                    edits,
                    |replay| replay.run(&mut |progress| send_progress(stream, progress)),
                    || Ok(self.removed_flow(recording)),
                ),
                Err(error) => Err(open_error(&*error)),
            },
            HostRequest::Slice(recording, request) => {
                let sliced = self.with_replay(
                    recording,
                    &Edits::default(),
                    |replay| {
                        let mut progress = |trial| drop(send(&mut *stream, &HostReply::TrialStarting(trial)));
                        replay.slice(request, &mut progress)
                    },
                    || Err(removed_flow_error(&recording.trace.flow.name)),
                );
                return sliced.map_or_else(HostReply::Failed, |slice| HostReply::Sliced(Box::new(slice)));
            }
            HostRequest::Check(recording) => self.with_replay(
                recording,
                &Edits::default(),
                |replay| {
                    replay.check(&mut |progress| match progress {
                        Progress::RunStarted => send_progress(stream, progress),
                        Progress::StepStarting(_) => {}
                    })
                },
                || Ok(self.removed_flow(recording)),
            ),
        };
        result.map_or_else(HostReply::Failed, |report| HostReply::Report(Box::new(report)))
    }

    /// Returns the report about a flow that no longer exists, which is a finding.
    fn removed_flow(&self, recording: &Recording) -> Report {
        let names = self.flows.iter().map(|hosted| hosted.flow.info().name.as_str());
        removed_flow_report(&recording.trace, names)
    }

    /// Prepares a replay and passes it to `run`, or calls `removed` if the flow no longer exists.
    fn with_replay<R>(
        &self,
        recording: &Recording,
        edits: &Edits,
        run: impl FnOnce(&Replay<'_>) -> Result<R, ReplayError>,
        removed: impl FnOnce() -> Result<R, ReplayError>,
    ) -> Result<R, ReplayError> {
        let trace = &recording.trace;
        let Some(hosted) = self.flows.iter().find(|hosted| hosted.flow.info().name == trace.flow.name) else {
            return removed();
        };
        let route = |request: &mut Request| {
            if let Some(live) = &self.live {
                live.set_request(request, trace.id);
            }
            hosted.route(request)
        };
        let live = self
            .live
            .as_ref()
            .map(|live| live as &dyn zerver_replay::LivePerformer)
            .filter(|_| !edits.live.is_empty());
        let context = ReplayContext {
            deadline: Some(self.deadline),
            is_default_deadline: self.deadline == Config::default().deadline,
            targets: Some(&self.targets),
            timers: Some(&VirtualTimers),
            live,
            secret_rule: Some(&self.rule),
        };
        run(&Replay { recording, flow: &hosted.flow, route: &route, edits, context })
    }

    /// Runs the startup hook if the replay performs effects for real and the hook has not run yet.
    fn open_live_for(&mut self, edits: &Edits, stream: &UnixStream) -> Result<(), BoxError> {
        if edits.live.is_empty() { Ok(()) } else { self.open_live(stream).map(drop) }
    }

    /// Runs the startup hook if it has not run yet.
    fn open_live(&mut self, stream: &UnixStream) -> Result<&LivePerformer, BoxError> {
        if self.live.is_none() {
            let app = self.unopened.take().ok_or("an earlier attempt to open its resources failed")?;
            self.live = Some(LivePerformer::open(|runtime| app.open(runtime), stream)?);
        }
        self.live.as_ref().ok_or_else(|| "its resources are not open".into())
    }

    /// Has the interpreter of a call explain it.
    fn explain(&mut self, recording: &Recording, call: u32, analyze: bool, stream: &UnixStream) -> HostReply {
        let call = match ExplainCall::of(recording, call, analyze) {
            Ok(call) => call,
            Err(error) => {
                let (message, causes) = (CANNOT_EXPLAIN.to_owned(), vec![error.to_string()]);
                return HostReply::Failed(ReplayError { message, causes, hints: Vec::new() });
            }
        };
        match self.open_live(stream).map(|live| live.explain(&call)) {
            Ok(Ok(explanations)) => HostReply::Explained(explanations),
            Ok(Err(error)) => HostReply::Failed(explain_error(&error)),
            Err(error) => {
                HostReply::Failed(ReplayError { message: CANNOT_EXPLAIN.to_owned(), ..open_error(&*error) })
            }
        }
    }
}

/// Sends the progress of a replay. An error is ignored, because sending the report will fail too.
fn send_progress(stream: &mut UnixStream, progress: Progress<'_>) {
    let reply = match progress {
        Progress::RunStarted => HostReply::RunStarted,
        Progress::StepStarting(step) => HostReply::StepStarting(step.to_owned()),
    };
    let _ = send(stream, &reply);
}

/// A flow and a router for its route.
struct HostedFlow {
    flow: Arc<Flow>,
    router: Option<Router>,
}

impl HostedFlow {
    fn new(flow: Arc<Flow>) -> Self {
        Self { router: Router::new(&[Arc::clone(&flow)]).ok(), flow }
    }

    /// Returns true if the flow takes the request, and sets the parameters of the request.
    fn route(&self, request: &mut Request) -> bool {
        let found = self.router.as_ref().map(|router| router.find(&request.method, request.uri.path()));
        let Some(RouteMatch::Flow(_, params, _)) = found else { return false };
        request.params = params;
        true
    }
}

/// Returns the error for a value of a flow that no longer exists.
fn removed_flow_error(flow: &str) -> ReplayError {
    ReplayError {
        message: format!("today's program has no flow {flow}"),
        hints: vec!["--static narrows the sources of the value without the program".to_owned()],
        ..ReplayError::default()
    }
}

/// Returns the error of a startup hook that failed.
fn open_error(error: &(dyn Error + 'static)) -> ReplayError {
    let (mut causes, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        causes.push(error.to_string());
        next = error.source();
    }
    ReplayError {
        message: "the service cannot perform effects for real".to_owned(),
        causes,
        hints: vec![
            "it opens the same resources as when it serves; stop the process that uses them, such as `zerver dev`"
                .to_owned(),
        ],
    }
}

/// Returns the error of an interpreter that could not explain a call.
fn explain_error(error: &EffectError) -> ReplayError {
    let hint = match error.kind {
        EffectErrorKind::Unreachable => {
            "the service connects with the settings and the environment of this command"
        }
        EffectErrorKind::Timeout => "the target did not answer in time; try again when it is less busy",
        _ => "the call is explained by the program of today, with the target that it uses today",
    };
    ReplayError {
        message: CANNOT_EXPLAIN.to_owned(),
        causes: vec![error.to_string()],
        hints: vec![hint.to_owned()],
    }
}

/// Returns the error of a panic outside of a step, such as in `Serialize`.
fn panic_error(panic: &(dyn Any + Send)) -> ReplayError {
    let text = panic.downcast_ref::<&str>().copied();
    let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ReplayError {
        message: "the service panicked outside of a step".to_owned(),
        causes: vec![message.unwrap_or("a panic without a message").to_owned()],
        ..ReplayError::default()
    }
}
