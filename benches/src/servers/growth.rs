//! A recorded service whose requests grow: in steps, slots, yields, effects or bytes, and with the number of its flows.

use std::net::SocketAddr;

use zerver::StartOptions;
use zerver::effects::kv;
use zerver::prelude::*;
use zerver_recorder::{Recorder, RecordingPolicy};

use super::todos;

/// Numbers of steps, slots and flows.
pub(crate) const STEPS: [u64; 3] = [16, 64, 256];
pub(crate) const SLOTS: [u64; 3] = [8, 16, 32];
pub(crate) const FLOWS: [u64; 3] = [16, 256, 4096];

#[step]
fn nothing() {}

#[step]
fn done() -> Response {
    Response::text("ok")
}

#[slot]
#[derive(Debug)]
struct Size(u64);

#[step]
fn parse_size(request: &Request) -> Result<Size, Failure> {
    request.param("size").map(Size)
}

#[step]
fn yields(size: &Size, progress: Option<u64>) -> Decision<(), u64> {
    match progress.unwrap_or(0) {
        times if times >= size.0 => Continue(()),
        times => Yield(times + 1),
    }
}

#[step]
fn effects(size: &Size) -> Decision<()> {
    Need(join_all((0..size.0).map(|n| kv::get::<u64>(("missing", n)))).map(drop))
}

#[step]
fn body(size: &Size) -> Response {
    Response::text("x".repeat(size.0 as usize))
}

const SIXTEEN: Chain = chain![
    nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
    nothing, nothing, nothing, nothing, nothing,
];

macro_rules! slots {
    ($($step:ident $slot:ident)*) => {
        $(
            #[slot]
            #[derive(Debug)]
            struct $slot(u64);

            #[step]
            fn $step() -> $slot {
                $slot(7)
            }
        )*
    };
}

slots! {
    a0 A0 a1 A1 a2 A2 a3 A3 a4 A4 a5 A5 a6 A6 a7 A7
    b0 B0 b1 B1 b2 B2 b3 B3 b4 B4 b5 B5 b6 B6 b7 B7
    c0 C0 c1 C1 c2 C2 c3 C3 c4 C4 c5 C5 c6 C6 c7 C7
    d0 D0 d1 D1 d2 D2 d3 D3 d4 D4 d5 D5 d6 D6 d7 D7
}

const SLOTS_0: Chain = chain![a0, a1, a2, a3, a4, a5, a6, a7];
const SLOTS_1: Chain = chain![b0, b1, b2, b3, b4, b5, b6, b7];
const SLOTS_2: Chain = chain![c0, c1, c2, c3, c4, c5, c6, c7];
const SLOTS_3: Chain = chain![d0, d1, d2, d3, d4, d5, d6, d7];

/// Serves until `ready` returns, with this number of flows more.
pub(crate) fn serve(more: u64, ready: impl FnOnce(SocketAddr)) -> Result<(), String> {
    let recorder = todos::open(RecordingPolicy::All)?;
    let mut app = App::new()
        .flow(flow!("steps-16", GET "/steps/16", before: [SIXTEEN], steps: [done]))
        .flow(flow!("steps-64", GET "/steps/64", before: [SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN], steps: [done]))
        .flow(flow!(
            "steps-256",
            GET "/steps/256",
            before: [
                SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN,
                SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN,
            ],
            steps: [done],
        ))
        .flow(flow!("slots-8", GET "/slots/8", before: [SLOTS_0], steps: [done]))
        .flow(flow!("slots-16", GET "/slots/16", before: [SLOTS_0, SLOTS_1], steps: [done]))
        .flow(flow!("slots-32", GET "/slots/32", before: [SLOTS_0, SLOTS_1, SLOTS_2, SLOTS_3], steps: [done]))
        .flow(flow!("yields", GET "/yields/{size}", steps: [parse_size, yields, done]))
        .flow(flow!("effects", GET "/effects/{size}", steps: [parse_size, effects, done]))
        .flow(flow!("body", GET "/body/{size}", steps: [parse_size, body]));
    const END: &[Chain] = &[chain![done]];
    for number in 0..more {
        // The program ends with the service.
        let (name, path) = (format!("more-{number}").leak(), format!("/more/{number}").leak());
        app = app.flow(FlowDef::new(name, "GET", path, END));
    }
    let running = app
        .workers(1)
        .start(StartOptions {
            addr: Some("127.0.0.1:0".to_owned()),
            sink: Some(recorder.sink()),
            ..StartOptions::default()
        })
        .map_err(|error| error.to_string())?;
    ready(running.addr());
    running.stop();
    let status = Recorder::close(recorder);
    match status.dropped + status.lost {
        0 => Ok(()),
        _ => Err(format!("not every request was recorded: {status:?}")),
    }
}
