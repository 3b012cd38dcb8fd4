//! The host of replays: a program that was started with `ZERVER_IPC` runs what it is asked to on that socket. Nothing
//! is opened for that: no store, no listening socket, no interpreter. It ends when the other side hangs up.

use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::{any::Any, io};

use zerver_engine::{Flow, Request};
use zerver_replay::wire::{Ask, Hello, Told, receive, send};
use zerver_replay::{Edits, Opened, Refusal, Replay, Report, flow_is_gone};

use crate::shell::{Found, Router};
use crate::{App, StartError, build_id};

/// How much of what is asked for is read at once.
const READ_AHEAD: usize = 64 << 10;

/// Replays what it is asked to, until nobody asks any more.
pub(crate) fn serve(app: &App, socket: &Path) -> Result<(), StartError> {
    let flows: Vec<_> = app.ready_flows()?.into_iter().map(Hosted::new).collect();
    let spoken = UnixStream::connect(socket).and_then(|stream| converse(&flows, stream));
    spoken.map_err(|error| StartError::Ipc { socket: socket.to_owned(), error })
}

fn converse(flows: &[Hosted], mut stream: UnixStream) -> io::Result<()> {
    let mut asked = BufReader::with_capacity(READ_AHEAD, stream.try_clone()?);
    send(&mut stream, &Hello::new(build_id()))?;
    while let Some(ask) = receive(&mut asked)? {
        let told = match catch_unwind(AssertUnwindSafe(|| one(flows, &ask, &mut stream))) {
            Ok(told) => told,
            Err(panic) => Told::Refused(panicked(&*panic)),
        };
        send(&mut stream, &told)?;
    }
    Ok(())
}

fn one(flows: &[Hosted], ask: &Ask, stream: &mut UnixStream) -> Told {
    let told = match ask {
        // So that, should a step take the process down, the other side knows which one it was.
        Ask::Replay(opened, edits) => with(flows, opened, edits, |replay| {
            replay.run(&mut |step| drop(send(stream, &Told::Before(step.to_owned()))))
        }),
        Ask::Check(opened) => with(flows, opened, &Edits::default(), |replay| replay.check()),
    };
    told.map_or_else(Told::Refused, |report| Told::Report(Box::new(report)))
}

fn with(
    flows: &[Hosted],
    opened: &Opened,
    edits: &Edits,
    run: impl FnOnce(&Replay<'_>) -> Result<Report, Refusal>,
) -> Result<Report, Refusal> {
    let trace = &opened.trace;
    let Some(hosted) = flows.iter().find(|hosted| hosted.flow.info().name == trace.flow.name) else {
        let names = flows.iter().map(|hosted| hosted.flow.info().name.as_str());
        return Ok(flow_is_gone(trace, names));
    };
    let route = |request: &mut Request| hosted.takes(request);
    run(&Replay { opened, flow: &hosted.flow, route: &route, edits })
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
        let Some(Found::Flow(_, params)) = found else { return false };
        request.params = params;
        true
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
