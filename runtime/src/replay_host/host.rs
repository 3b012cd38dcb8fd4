//! The host of replays: a program that was started with `ZERVER_IPC` runs what it is asked to on that socket. Nothing
//! is opened for that: no store, no listening socket, and no interpreter, unless kinds of effects are named that are to
//! be performed for real. It ends when the other side hangs up.

use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{any::Any, error::Error, io};

use zerver_engine::{Flow, Request};
use zerver_replay::wire::{Hello, HostReply, HostRequest, receive, send};
use zerver_replay::{
    Edits, Progress, Recording, Replay, ReplayContext, ReplayError, Report, removed_flow_report,
};
use zerver_trace::secret::Rule;

use super::live_performer::LivePerformer;
use super::virtual_timers::VirtualTimers;
use crate::app::startup::BoxError;
use crate::http::{RouteMatch, Router};
use crate::{App, StartError, build_id};

/// How much of what is asked for is read at once.
const READ_AHEAD: usize = 64 << 10;

/// Replays what it is asked to, until nobody asks any more.
pub(crate) fn serve(app: App, socket: &Path) -> Result<(), StartError> {
    zerver_engine::install_panic_hook();
    let flows = app.ready_flows()?.into_iter().map(Hosted::new).collect();
    let (deadline, rule) = (app.config().deadline, app.secrets());
    let mut host = Host { flows, deadline, rule, closed: Some(app), live: None };
    let spoken = UnixStream::connect(socket).and_then(|stream| host.converse(stream));
    spoken.map_err(|error| StartError::Ipc { socket: socket.to_owned(), error })
}

struct Host {
    flows: Vec<Hosted>,
    deadline: Duration,
    rule: Rule,
    /// What performs effects for real, not opened yet.
    closed: Option<App>,
    /// The same, opened when it was first asked for.
    live: Option<LivePerformer>,
}

impl Host {
    fn converse(&mut self, mut stream: UnixStream) -> io::Result<()> {
        let mut asked = BufReader::with_capacity(READ_AHEAD, stream.try_clone()?);
        send(&mut stream, &Hello::new(build_id()))?;
        while let Some(ask) = receive(&mut asked)? {
            let told = match catch_unwind(AssertUnwindSafe(|| self.one(&ask, &mut stream))) {
                Ok(told) => told,
                Err(panic) => HostReply::Failed(panicked(&*panic)),
            };
            send(&mut stream, &told)?;
        }
        Ok(())
    }

    fn one(&mut self, ask: &HostRequest, stream: &mut UnixStream) -> HostReply {
        let told = match ask {
            HostRequest::Replay(opened, edits) => match self.open(edits, stream) {
                // So that, should a step take the process down, the other side knows which one it was.
                Ok(()) => {
                    self.with(opened, edits, |replay| replay.run(&mut |progress| tell(stream, progress)))
                }
                Err(error) => Err(not_live(&*error)),
            },
            HostRequest::Check(opened) => self.with(opened, &Edits::default(), |replay| {
                replay.check(&mut |progress| match progress {
                    Progress::RunStarted => tell(stream, progress),
                    Progress::StepStarting(_) => {}
                })
            }),
        };
        told.map_or_else(HostReply::Failed, |report| HostReply::Report(Box::new(report)))
    }

    fn with(
        &self,
        opened: &Recording,
        edits: &Edits,
        run: impl FnOnce(&Replay<'_>) -> Result<Report, ReplayError>,
    ) -> Result<Report, ReplayError> {
        let trace = &opened.trace;
        let Some(hosted) = self.flows.iter().find(|hosted| hosted.flow.info().name == trace.flow.name) else {
            let names = self.flows.iter().map(|hosted| hosted.flow.info().name.as_str());
            return Ok(removed_flow_report(trace, names));
        };
        let route = |request: &mut Request| {
            if let Some(live) = &self.live {
                live.act_for(request);
            }
            hosted.takes(request)
        };
        let live = self
            .live
            .as_ref()
            .map(|live| live as &dyn zerver_replay::LivePerformer)
            .filter(|_| !edits.live.is_empty());
        let world = ReplayContext {
            deadline: Some(self.deadline),
            timers: Some(&VirtualTimers),
            live,
            secret_rule: Some(&self.rule),
        };
        run(&Replay { recording: opened, flow: &hosted.flow, route: &route, edits, context: world })
    }

    /// Opens what performs effects for real, if that is asked for; nothing is opened otherwise.
    fn open(&mut self, edits: &Edits, stream: &UnixStream) -> Result<(), BoxError> {
        if !edits.live.is_empty() && self.live.is_none() {
            let app = self.closed.take().ok_or("it could not be opened before")?;
            self.live = Some(LivePerformer::open(|runtime| app.open(runtime), stream)?);
        }
        Ok(())
    }
}

/// Says how far a replay is. Should nobody listen any more, that shows when the report is sent.
fn tell(stream: &mut UnixStream, progress: Progress<'_>) {
    let told = match progress {
        Progress::RunStarted => HostReply::RunStarted,
        Progress::StepStarting(step) => HostReply::StepStarting(step.to_owned()),
    };
    let _ = send(stream, &told);
}

/// A flow with the route to it.
struct Hosted {
    flow: Arc<Flow>,
    router: Option<Router>,
}

impl Hosted {
    fn new(flow: Arc<Flow>) -> Self {
        Self { router: Router::new(&[Arc::clone(&flow)]).ok(), flow }
    }

    /// Whether it takes the request, which then has its parameters.
    fn takes(&self, request: &mut Request) -> bool {
        let found = self.router.as_ref().map(|router| router.find(&request.method, request.uri.path()));
        let Some(RouteMatch::Flow(_, params)) = found else { return false };
        request.params = params;
        true
    }
}

/// The service cannot open what it performs effects with.
fn not_live(error: &(dyn Error + 'static)) -> ReplayError {
    let (mut causes, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        causes.push(error.to_string());
        next = error.source();
    }
    ReplayError {
        message: "the service cannot perform effects for real".to_owned(),
        causes,
        hints: vec!["it opens what it opens to serve; end what holds that, such as `zerver dev`".to_owned()],
    }
}

/// Something panicked that is no step: a value that does not serialise, say.
fn panicked(panic: &(dyn Any + Send)) -> ReplayError {
    let text = panic.downcast_ref::<&str>().copied();
    let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ReplayError {
        message: "the service panicked outside of a step".to_owned(),
        causes: vec![message.unwrap_or("a panic without a message").to_owned()],
        ..ReplayError::default()
    }
}
