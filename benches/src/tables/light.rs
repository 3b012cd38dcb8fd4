//! light: `GET /v1/todos/{id}` with a bearer token: look the user up, check the roles, look the todo up, answer JSON; all
//! in memory. What is compared is the processor time that the server took for a request.

use std::process::Command;

use crate::process;
use crate::variant::{Started, Variant};
use crate::{Plan, load, median, quantile, say};

/// What one server did in one round.
#[derive(Clone, Copy)]
struct Round {
    cpu_us: f64,
    per_second: f64,
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    let mut rounds = Variant::ALL.map(|variant| (variant, Vec::new()));
    process::stay_on(1);
    for round in 0..plan.rounds {
        // Each round begins with another one, so that none always comes after the same.
        for at in 0..rounds.len() {
            let at = (at + round) % Variant::ALL.len();
            let (variant, measured) = &mut rounds[at];
            let error = |error| format!("{}: {error}", variant.name());
            measured.push(measure(*variant, plan).map_err(error)?);
        }
    }
    say(&format!(
        "GET /v1/todos/7, {} connections, {} rounds of {:?}",
        plan.connections, plan.rounds, plan.time
    ));
    say(
        "| server | CPU us/request | of axum | quartiles | min to max | aim | of axum with OTLP | requests/s |",
    );
    say("|---|---|---|---|---|---|---|---|");
    let own = |variant: Variant| &rounds[variant as usize].1;
    for (variant, rounds) in &rounds {
        let of = |other| {
            let pairs = std::iter::zip(rounds, own(other));
            pairs.map(|(round, other)| round.cpu_us / other.cpu_us).collect::<Vec<f64>>()
        };
        let (axum, otlp) = (of(Variant::Axum), of(Variant::AxumOtlp));
        let range = |low, high| format!("{:.2} to {:.2}", quantile(&axum, low), quantile(&axum, high));
        say(&format!(
            "| {} | {:.2} | {:.2} | {} | {} | {} | {:.2} | {:.0} |",
            variant.name(),
            median(rounds.iter().map(|round| round.cpu_us)),
            quantile(&axum, 0.5),
            range(0.25, 0.75),
            range(0.0, 1.0),
            variant.aim().map_or(String::new(), |aim| format!("{aim:.1}")),
            quantile(&otlp, 0.5),
            median(rounds.iter().map(|round| round.per_second)),
        ));
    }
    Ok(())
}

fn measure(variant: Variant, plan: &Plan) -> Result<Round, String> {
    let text = |error: std::io::Error| error.to_string();
    let started = Started::new(variant, Command::new(process::program()?))?;
    let server = &started.server;
    let warm = load::run(server.addr(), plan.connections, plan.time / 4).map_err(text)?;
    let before = server.cpu_at_rest().map_err(text)?;
    let done = load::run(server.addr(), plan.connections, plan.time).map_err(text)?;
    // What was handed to another thread is to be paid for as well.
    let cpu = server.cpu_at_rest().map_err(text)? - before;
    started.stop(warm.requests + done.requests)?;
    Ok(Round {
        cpu_us: cpu.as_secs_f64() * 1e6 / done.requests as f64,
        per_second: done.requests as f64 / done.took.as_secs_f64(),
    })
}
