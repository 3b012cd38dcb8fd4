//! light: `GET /v1/todos/{id}` with a bearer token: look the user up, check the roles, look the todo up, answer JSON; all
//! in memory. What is compared is the processor time that the server took for a request.

use std::time::Duration;

use crate::process::{self, Server, Variant};
use crate::{Plan, load, median, say};

/// What one server did in one round.
#[derive(Clone, Copy)]
struct Round {
    cpu_us: f64,
    per_second: f64,
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); Variant::ALL.len()];
    process::stay_on(1);
    for _ in 0..plan.rounds {
        for (at, variant) in Variant::ALL.iter().enumerate() {
            rounds[at].push(measure(*variant, plan).map_err(|error| format!("{}: {error}", variant.name()))?);
        }
    }
    let axum: Vec<f64> = rounds[0].iter().map(|round| round.cpu_us).collect();
    say(&format!(
        "GET /v1/todos/7, {} connections, {} rounds of {:?}",
        plan.connections, plan.rounds, plan.time
    ));
    say("| server | CPU us/request | of axum (median, min to max) | requests/s |");
    say("|---|---|---|---|");
    for (variant, rounds) in std::iter::zip(Variant::ALL, &rounds) {
        let ratios: Vec<f64> =
            std::iter::zip(rounds, &axum).map(|(round, axum)| round.cpu_us / axum).collect();
        let (least, most) = ratios.iter().fold((f64::MAX, f64::MIN), |(a, b), &r| (a.min(r), b.max(r)));
        say(&format!(
            "| {} | {:.2} | {:.2} ({least:.2} to {most:.2}) | {:.0} |",
            variant.name(),
            median(rounds.iter().map(|round| round.cpu_us)),
            median(ratios.iter().copied()),
            median(rounds.iter().map(|round| round.per_second)),
        ));
    }
    Ok(())
}

fn measure(variant: Variant, plan: &Plan) -> Result<Round, String> {
    let server = Server::start(variant.argument())?;
    let text = |error: std::io::Error| error.to_string();
    load::run(server.addr(), plan.connections, plan.time / 4).map_err(text)?;
    let before = server.cpu().map_err(text)?;
    let done = load::run(server.addr(), plan.connections, plan.time).map_err(text)?;
    // What was handed to the writer thread is to be paid for as well.
    std::thread::sleep(Duration::from_millis(60));
    let cpu = server.cpu().map_err(text)? - before;
    server.stop(|_| Ok(()))?;
    Ok(Round {
        cpu_us: cpu.as_secs_f64() * 1e6 / done.requests as f64,
        per_second: done.requests as f64 / done.took.as_secs_f64(),
    })
}
