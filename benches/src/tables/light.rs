//! light: `GET /v1/todos/{id}` with a bearer token: load the user, check the roles, load the todo, answer JSON, all in memory.
//! Compares the processor time of the server per request.

use std::process::Command;

use crate::load::closed_loop;
use crate::plan::Plan;
use crate::report::{median, print_line, quantile};
use crate::servers::process;
use crate::servers::variant::{Started, Variant};

/// Measurement of one server in one round.
#[derive(Clone, Copy)]
struct Round {
    cpu_us: f64,
    per_second: f64,
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    let mut rounds = Variant::ALL.map(|variant| (variant, Vec::new()));
    process::pin_to(1);
    for round in 0..plan.rounds {
        // Each round starts with another server, so that none always follows the same one.
        for at in 0..rounds.len() {
            let at = (at + round) % Variant::ALL.len();
            let (variant, measured) = &mut rounds[at];
            let error = |error| format!("{}: {error}", variant.name());
            measured.push(measure(*variant, plan).map_err(error)?);
        }
    }
    print_line(&format!(
        "GET /v1/todos/7, {} connections, {} rounds of {:?}",
        plan.connections, plan.rounds, plan.time
    ));
    print_line(
        "| server | CPU us/request | of axum | quartiles | min to max | aim | of axum with OTLP | requests/s |",
    );
    print_line("|---|---|---|---|---|---|---|---|");
    let own = |variant: Variant| &rounds[variant as usize].1;
    for (variant, rounds) in &rounds {
        let of = |other| {
            let pairs = std::iter::zip(rounds, own(other));
            pairs.map(|(round, other)| round.cpu_us / other.cpu_us).collect::<Vec<f64>>()
        };
        let (axum, otlp) = (of(Variant::Axum), of(Variant::AxumOtlp));
        let range = |low, high| format!("{:.2} to {:.2}", quantile(&axum, low), quantile(&axum, high));
        print_line(&format!(
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
    let warm = closed_loop::run(server.addr(), plan.connections, plan.time / 4).map_err(text)?;
    let before = server.cpu_at_rest().map_err(text)?;
    let done = closed_loop::run(server.addr(), plan.connections, plan.time).map_err(text)?;
    // Work on other threads, such as the recorder, counts as well.
    let cpu = server.cpu_at_rest().map_err(text)? - before;
    started.stop(warm.requests + done.requests)?;
    Ok(Round {
        cpu_us: cpu.as_secs_f64() * 1e6 / done.requests as f64,
        per_second: done.requests as f64 / done.took.as_secs_f64(),
    })
}
