//! The host of replays: a program that was started with `ZERVER_IPC` runs what it is asked to on that socket. Nothing
//! is opened for that: no store, no listening socket, and no interpreter, unless kinds of effects are named that are to
//! be performed for real. It ends when the other side hangs up.

mod live;
mod timers;

use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{any::Any, error::Error, io};

use zerver_engine::{Flow, Request};
use zerver_replay::wire::{Ask, Hello, Told, receive, send};
use zerver_replay::{Edits, Live, Opened, Refusal, Replay, World, flow_is_gone};

use self::live::LiveEffects;
use self::timers::VirtualTimers;
use crate::prepare::LiveError;
use crate::shell::{Found, Router};
use crate::{App, StartError, build_id};

/// Replays what it is asked to, until nobody asks any more.
pub(crate) fn serve(app: App, socket: &Path) -> Result<(), StartError> {
    let flows = app.ready_flows()?;
    let deadline = app.default_deadline();
    let mut host = Host { flows, deadline, closed: Some(app), live: None };
    let spoken = UnixStream::connect(socket).and_then(|mut stream| host.converse(&mut stream));
    spoken.map_err(|error| StartError::Ipc { socket: socket.to_owned(), error })
}

struct Host {
    flows: Vec<Arc<Flow>>,
    deadline: Duration,
    /// What performs effects for real, not opened yet.
    closed: Option<App>,
    /// The same, opened when it was first asked for.
    live: Option<LiveEffects>,
}

impl Host {
    fn converse(&mut self, stream: &mut UnixStream) -> io::Result<()> {
        send(stream, &Hello::new(build_id()))?;
        while let Some(Ask::Replay(opened, edits)) = receive(stream)? {
            let told = match catch_unwind(AssertUnwindSafe(|| self.replay(&opened, &edits, stream))) {
                Ok(told) => told,
                Err(panic) => Told::Refused(panicked(&*panic)),
            };
            send(stream, &told)?;
        }
        Ok(())
    }

    fn replay(&mut self, opened: &Opened, edits: &Edits, stream: &mut UnixStream) -> Told {
        let trace = &opened.trace;
        let Some(flow) = self.flows.iter().find(|flow| flow.info().name == trace.flow.name).cloned() else {
            let names = self.flows.iter().map(|flow| flow.info().name.as_str());
            return Told::Report(Box::new(flow_is_gone(trace, names)));
        };
        let router = Router::new(&[Arc::clone(&flow)]);
        let route = |request: &mut Request| match &router {
            Ok(router) => match router.find(&request.method, request.uri.path()) {
                Found::Flow(_, params) => {
                    request.params = params;
                    true
                }
                _ => false,
            },
            Err(_) => false,
        };
        let deadline = Some(self.deadline);
        let live = match self.open(edits, stream) {
            Ok(live) => live,
            Err(error) => return Told::Refused(not_live(&*error)),
        };
        let world = World { deadline, timers: Some(&VirtualTimers), live };
        let replay = Replay { opened, flow: &flow, route: &route, edits, world };
        // So that, should a step take the process down, the other side knows which one it was.
        let report = replay.run(&mut |step| drop(send(stream, &Told::Before(step.to_owned()))));
        match report {
            Ok(report) => Told::Report(Box::new(report)),
            Err(refusal) => Told::Refused(refusal),
        }
    }

    /// What performs effects for real, if that is asked for; nothing is opened otherwise.
    fn open(&mut self, edits: &Edits, stream: &UnixStream) -> Result<Option<&dyn Live>, LiveError> {
        if edits.live.is_empty() {
            return Ok(None);
        }
        if self.live.is_none() {
            let app = self.closed.take().ok_or("it could not be opened before")?;
            self.live = Some(LiveEffects::open(|| app.open(), stream)?);
        }
        Ok(self.live.as_ref().map(|live| live as &dyn Live))
    }
}

/// The service cannot open what it performs effects with.
fn not_live(error: &(dyn Error + 'static)) -> Refusal {
    let (mut causes, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        causes.push(error.to_string());
        next = error.source();
    }
    Refusal {
        what: "the service cannot perform effects for real".to_owned(),
        causes,
        hints: vec!["it opens what it opens to serve; end what holds that, such as `zerver dev`".to_owned()],
    }
}

/// Something panicked that is no step: a value that does not serialise, say.
fn panicked(panic: &(dyn Any + Send)) -> Refusal {
    let text = panic.downcast_ref::<&str>().copied();
    let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Refusal {
        what: "the service panicked outside of a step".to_owned(),
        causes: vec![message.unwrap_or("a panic without a message").to_owned()],
        ..Refusal::default()
    }
}
