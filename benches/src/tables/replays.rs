//! replays: `GET /v1/todos/7` is served and recorded, and the recorded requests are replayed on one core, in turns. Compares
//! processor time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zerver::engine::{Flow, Request};
use zerver_recorder::Reader;
use zerver_replay::{Edits, Recording, Replay, ReplayContext, Secrets};
use zerver_trace::{Query, Trace};

use crate::load::closed_loop;
use crate::load::traffic::{Requests, Traffic};
use crate::plan::Plan;
use crate::report::{median, print_line};
use crate::servers::process::{self, Server};
use crate::servers::todos;
use crate::servers::variant::Variant;

/// Number of recorded requests that are replayed repeatedly.
const TRACES: usize = 1000;

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::pin_to(1);
    let (mut served, mut checked, mut reported) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (us, recorded) = serve(plan)?;
        served.push(us);
        checked.push(replay(&recorded, plan.time, |replay| {
            replay.check(&mut |_| {}).is_ok_and(|report| report.is_same())
        })?);
        let run = |replay: &Replay<'_>| replay.run(&mut |_| {}).is_ok_and(|report| report.is_same());
        reported.push(replay(&recorded, plan.time, run)?);
    }
    print_line(&format!("GET /v1/todos/7, six steps, two effects; {} rounds, in turns", plan.rounds));
    print_line("| what | CPU us | per second | times faster than serving (median) |");
    print_line("|---|---|---|---|");
    for (name, round) in [
        ("served, everything recorded", &served),
        ("replayed, one of many", &checked),
        ("replayed, single, with report", &reported),
    ] {
        let us = median(round.iter().copied());
        let times = median(std::iter::zip(&served, round).map(|(served, us)| served / us));
        print_line(&format!("| {name} | {us:.2} | {:.0} | {times:.2} |", 1e6 / us));
    }
    Ok(())
}

/// Returns the processor time of a served request in microseconds, and recorded requests.
fn serve(plan: &Plan) -> Result<(f64, Vec<Recording>), String> {
    let text = |error: std::io::Error| error.to_string();
    let server = Server::start(Variant::All.argument())?;
    let requests = Requests::new(Traffic::Identical);
    closed_loop::run(server.addr(), &requests, plan.connections, plan.time / 4).map_err(text)?;
    let before = server.cpu().map_err(text)?;
    let done = closed_loop::run(server.addr(), &requests, plan.connections, plan.time).map_err(text)?;
    // The work of the writer thread counts as well.
    let cpu = server.cpu_at_rest().map_err(text)? - before;
    let recorded = server.stop(|store| {
        let reader = Reader::open(store).map_err(|error| error.to_string())?;
        let query = Query { flow: Some("todos-item".to_owned()), limit: Some(TRACES), ..Query::default() };
        let mut recorded = Vec::new();
        let mut open = |trace: Trace| {
            let secrets = reader.open_secrets(&trace).map(Secrets).unwrap_or_default();
            recorded.push(Recording { trace, secrets });
            ControlFlow::Continue(())
        };
        reader.for_each(&query, &mut open).map_err(|error| error.to_string())?;
        Ok(recorded)
    })?;
    Ok((cpu.as_secs_f64() * 1e6 / done.requests as f64, recorded))
}

/// Returns the processor time of one replay, in microseconds.
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
    let (begun, before, mut done) = (Instant::now(), process::thread_cpu()?, 0u32);
    while begun.elapsed() < time {
        for opened in recorded {
            if !is_same(&Replay {
                recording: opened,
                flow: &flow,
                route: &route,
                edits: &edits,
                context: ReplayContext::default(),
            }) {
                return Err("a replay differs from its recording".to_owned());
            }
        }
        done += recorded.len() as u32;
        if done == 0 {
            return Err("nothing was recorded".to_owned());
        }
    }
    Ok((process::thread_cpu()? - before).as_secs_f64() * 1e6 / f64::from(done))
}
