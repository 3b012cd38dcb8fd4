//! steps: what a step costs: the next one of a request that runs, and one after which others go first.

use std::io;
use std::time::Instant;

use crate::busy::MORE_STEPS;
use crate::open_loop;
use crate::process::{self, Server};
use crate::{Plan, median, say};

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::stay_on(1);
    let (mut next, mut yields) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let server = Server::start("busy")?;
        let measured = measure(&server, plan);
        server.kill()?;
        let [one, many, yielding] = measured.map_err(|error| error.to_string())?;
        next.push((many - one) / f64::from(MORE_STEPS));
        yields.push((yielding - one) / f64::from(MORE_STEPS + 1));
    }
    say(&format!(
        "{MORE_STEPS} steps more in a request, unrecorded; {} rounds of {:?}",
        plan.rounds, plan.time
    ));
    say("| what | CPU ns | aim |");
    say("|---|---|---|");
    say(&format!("| schedule and run the next step | {:.0} | 60 |", median(next.into_iter())));
    say(&format!("| let all others go first, and run again | {:.0} | |", median(yields.into_iter())));
    Ok(())
}

/// The processor time of a request with one step, with many, and with one that yields as many times, in nanoseconds.
fn measure(server: &Server, plan: &Plan) -> io::Result<[f64; 3]> {
    let mut costs = [0.0; 3];
    open_loop::runtime()?.block_on(async {
        for (path, cost) in std::iter::zip(["/steps/one", "/steps/many", "/steps/yields"], &mut costs) {
            let ask = |time| open_loop::again(server.addr(), path, plan.connections, Instant::now() + time);
            ask(plan.time / 4).await?;
            let before = server.cpu()?;
            let done = ask(plan.time).await?.max(1);
            *cost = (server.cpu()? - before).as_secs_f64() * 1e9 / done as f64;
        }
        Ok::<_, io::Error>(())
    })?;
    Ok(costs)
}
