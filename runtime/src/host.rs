//! The host of replays: a program that was started with `ZERVER_IPC` runs what it is asked to on that socket. Nothing
//! is opened for that: no store, no listening socket, no interpreter. It ends when the other side hangs up.

use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::{any::Any, io};

use zerver_engine::{Flow, Request};
use zerver_replay::wire::{Ask, Hello, Told, receive, send};
use zerver_replay::{Edits, Opened, Refusal, Replay, flow_is_gone};

use crate::shell::{Found, Router};
use crate::{App, StartError, build_id};

/// Replays what it is asked to, until nobody asks any more.
pub(crate) fn serve(app: &App, socket: &Path) -> Result<(), StartError> {
    let flows = app.ready_flows()?;
    let spoken = UnixStream::connect(socket).and_then(|mut stream| converse(&flows, &mut stream));
    spoken.map_err(|error| StartError::Ipc { socket: socket.to_owned(), error })
}

fn converse(flows: &[Arc<Flow>], stream: &mut UnixStream) -> io::Result<()> {
    send(stream, &Hello::new(build_id()))?;
    while let Some(Ask::Replay(opened, edits)) = receive(stream)? {
        let told = match catch_unwind(AssertUnwindSafe(|| replay(flows, &opened, &edits, stream))) {
            Ok(told) => told,
            Err(panic) => Told::Refused(panicked(&*panic)),
        };
        send(stream, &told)?;
    }
    Ok(())
}

fn replay(flows: &[Arc<Flow>], opened: &Opened, edits: &Edits, stream: &mut UnixStream) -> Told {
    let trace = &opened.trace;
    let Some(flow) = flows.iter().find(|flow| flow.info().name == trace.flow.name) else {
        let names = flows.iter().map(|flow| flow.info().name.as_str());
        return Told::Report(Box::new(flow_is_gone(trace, names)));
    };
    let router = Router::new(&[Arc::clone(flow)]);
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
    let replay = Replay { opened, flow, route: &route, edits };
    // So that, should a step take the process down, the other side knows which one it was.
    let report = replay.run(&mut |step| drop(send(stream, &Told::Before(step.to_owned()))));
    match report {
        Ok(report) => Told::Report(Box::new(report)),
        Err(refusal) => Told::Refused(refusal),
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
