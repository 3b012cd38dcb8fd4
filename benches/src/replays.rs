//! Replays beside the service itself: `GET /v1/todos/7` is served and recorded, and what was recorded is replayed on one
//! core, in turns. Both are told in processor time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zerver::engine::{Flow, Request};
use zerver_recorder::Reader;
use zerver_replay::{Edits, Recording, Replay, ReplayContext, Secrets};
use zerver_trace::{Query, Trace};

use crate::process::{self, Server};
use crate::variant::Variant;
use crate::{Plan, load, median, say, todos};

/// So many recorded requests are replayed, again and again.
const TRACES: usize = 1000;

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::stay_on(1);
    let (mut served, mut checked, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (us, recorded) = serve(plan)?;
        served.push(us);
        checked.push(replay(&recorded, plan.time, |replay| {
            replay.check(&mut |_| {}).is_ok_and(|report| report.is_same())
        })?);
        let run = |replay: &Replay<'_>| replay.run(&mut |_| {}).is_ok_and(|report| report.is_same());
        told.push(replay(&recorded, plan.time, run)?);
    }
    say(&format!("GET /v1/todos/7, six steps, two effects; {} rounds, in turns", plan.rounds));
    say("| what | CPU us | per second | times served (median) |");
    say("|---|---|---|---|");
    for (name, round) in [
        ("served, all recorded", &served),
        ("replayed, one of many", &checked),
        ("replayed, one with its report", &told),
    ] {
        let us = median(round.iter().copied());
        let times = median(std::iter::zip(&served, round).map(|(served, us)| served / us));
        say(&format!("| {name} | {us:.2} | {:.0} | {times:.2} |", 1e6 / us));
    }
    Ok(())
}

/// The processor time of a served request in microseconds, and some that were recorded.
fn serve(plan: &Plan) -> Result<(f64, Vec<Recording>), String> {
    let text = |error: std::io::Error| error.to_string();
    let server = Server::start(Variant::All.argument())?;
    load::run(server.addr(), plan.connections, plan.time / 4).map_err(text)?;
    let before = server.cpu().map_err(text)?;
    let done = load::run(server.addr(), plan.connections, plan.time).map_err(text)?;
    // What was handed to the writer thread is to be paid for as well.
    let cpu = server.cpu_at_rest().map_err(text)? - before;
    let recorded = server.stop(|store| {
        let reader = Reader::open(store).map_err(|error| error.to_string())?;
        let query = Query { flow: Some("todos-item".to_owned()), limit: Some(TRACES), ..Query::default() };
        let mut recorded = Vec::new();
        let mut open = |trace: Trace| {
            let secrets = reader.secrets(&trace).map(Secrets).unwrap_or_default();
            recorded.push(Recording { trace, secrets });
            ControlFlow::Continue(())
        };
        reader.each(&query, &mut open).map_err(|error| error.to_string())?;
        Ok(recorded)
    })?;
    Ok((cpu.as_secs_f64() * 1e6 / done.requests as f64, recorded))
}

/// The processor time of one replay, in microseconds.
fn replay(
    recorded: &[Recording],
    time: Duration,
    is_same: impl Fn(&Replay<'_>) -> bool,
) -> Result<f64, String> {
    let flow = Flow::new(&todos::item(), |failure, _| failure.to_response());
    let flow = Arc::new(flow.map_err(|error| error.to_string())?);
    let id: Arc<str> = "id".into();
    let route = |request: &mut Request| {
        let found = request.uri.path().strip_prefix("/v1/todos/").map(str::to_owned);
        found.map(|found| request.params.push((Arc::clone(&id), found))).is_some()
    };
    let edits = Edits::default();
    let (begun, before, mut done) = (Instant::now(), process::cpu()?, 0u32);
    while begun.elapsed() < time {
        for opened in recorded {
            if !is_same(&Replay {
                recording: opened,
                flow: &flow,
                route: &route,
                edits: &edits,
                context: ReplayContext::default(),
            }) {
                return Err("a replay is not the same".to_owned());
            }
        }
        done += recorded.len() as u32;
        if done == 0 {
            return Err("nothing was recorded".to_owned());
        }
    }
    Ok((process::cpu()? - before).as_secs_f64() * 1e6 / f64::from(done))
}
