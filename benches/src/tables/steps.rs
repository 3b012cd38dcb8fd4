//! steps: the cost of a step: the next step of a running request, and a step that yields to others.

use std::io;
use std::time::Instant;

use crate::load::open_loop;
use crate::plan::Plan;
use crate::report::{median, print_line};
use crate::servers::busy::MORE_STEPS;
use crate::servers::process::{self, Server};

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::pin_to(1);
    let (mut next, mut yields) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let server = Server::start("busy")?;
        let measured = measure(&server, plan);
        server.kill()?;
        let [one, many, yielding] = measured.map_err(|error| error.to_string())?;
        next.push((many - one) / f64::from(MORE_STEPS));
        yields.push((yielding - one) / f64::from(MORE_STEPS + 1));
    }
    print_line(&format!(
        "{MORE_STEPS} additional steps in a request, unrecorded; {} rounds of {:?}",
        plan.rounds, plan.time
    ));
    print_line("| what | CPU ns | aim |");
    print_line("|---|---|---|");
    print_line(&format!("| schedule and run the next step | {:.0} | 60 |", median(next.into_iter())));
    print_line(&format!("| yield to all others, and run again | {:.0} | |", median(yields.into_iter())));
    Ok(())
}

/// Measures the processor time of a request with one step, with many, and with one that yields as often, in nanoseconds.
fn measure(server: &Server, plan: &Plan) -> io::Result<[f64; 3]> {
    let mut costs = [0.0; 3];
    open_loop::runtime()?.block_on(async {
        for (path, cost) in std::iter::zip(["/steps/one", "/steps/many", "/steps/yields"], &mut costs) {
            let ask = |time| open_loop::closed(server.addr(), path, plan.connections, Instant::now() + time);
            ask(plan.time / 4).await?;
            let before = server.cpu()?;
            let done = ask(plan.time).await?.max(1);
            *cost = (server.cpu()? - before).as_secs_f64() * 1e9 / done as f64;
        }
        Ok::<_, io::Error>(())
    })?;
    Ok(costs)
}
