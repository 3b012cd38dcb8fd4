//! overload: requests of 1 ms of processor time and of one class, at twice the capacity.

use std::time::{Duration, Instant};

use crate::load::open_loop::{self, Answers};
use crate::plan::Plan;
use crate::report::{median, print_line};
use crate::servers::process::{self, Server};

const SERVERS: [(&str, &str, &str); 4] = [
    ("axum 0.8", "busy-axum", "/work/interactive"),
    ("zerver, interactive", "busy", "/work/interactive"),
    ("zerver, default", "busy", "/work/default"),
    ("zerver, batch", "busy", "/work/batch"),
];

/// Measurement of a server at twice its capacity.
struct Overloaded {
    /// Requests per second that four clients get, back to back.
    capacity: f64,
    /// Requests per second that are served under overload.
    goodput: f64,
    answers: Answers,
    /// Processor time of a shed request, relative to a served one.
    shed_cost: f64,
    mib_before: f64,
    mib_most: f64,
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::pin_to(1);
    process::raise_file_limit();
    print_line(&format!("1 ms of work, offered at twice the measured capacity for {:?}", plan.time));
    print_line(
        "| server | capacity/s | goodput, of capacity | p50 ms | p99 ms | shed | cost, of a served request | MiB before, peak |",
    );
    print_line("|---|---|---|---|---|---|---|---|");
    for (name, server, path) in SERVERS {
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            rounds.push(measure(server, path, plan.time).map_err(|error| format!("{name}: {error}"))?);
        }
        let of = |value: fn(&Overloaded) -> f64| median(rounds.iter().map(value));
        let shed_cost = match of(|round| round.shed_cost) {
            cost if cost.is_finite() => format!("{cost:.3}"),
            _ => String::new(),
        };
        print_line(&format!(
            "| {name} | {:.0} | {:.3} | {:.2} | {:.2} | {:.0} % | {shed_cost} | {:.1}, {:.1} |",
            of(|round| round.capacity),
            of(|round| round.goodput / round.capacity),
            of(|round| round.answers.ms(500)),
            of(|round| round.answers.ms(990)),
            of(|round| 100.0 * round.answers.shed as f64 / round.answers.sent.max(1) as f64),
            of(|round| round.mib_before),
            of(|round| round.mib_most),
        ));
    }
    Ok(())
}

fn measure(server: &str, path: &str, time: Duration) -> Result<Overloaded, String> {
    let server = Server::start(server)?;
    let result = overload(&server, path, time).map_err(|error| error.to_string());
    server.kill()?;
    result
}

fn overload(server: &Server, path: &str, time: Duration) -> std::io::Result<Overloaded> {
    let addr = server.addr();
    open_loop::runtime()?.block_on(async {
        open_loop::closed(addr, path, 4, Instant::now() + time / 8).await?;
        let before = server.cpu()?;
        let closed = time / 2;
        let done = open_loop::closed(addr, path, 4, Instant::now() + closed).await?.max(1);
        let served_cost = (server.cpu()? - before).as_secs_f64() / done as f64;
        let capacity = done as f64 / closed.as_secs_f64();
        let (rss, _) = server.memory()?;
        let before = server.cpu()?;
        let answers = open_loop::ask(addr, path, 2.0 * capacity, Instant::now() + time).await?;
        let cpu = (server.cpu()? - before).as_secs_f64();
        let (_, most) = server.memory()?;
        let shed_cost = (cpu - answers.served.len() as f64 * served_cost) / answers.shed as f64 / served_cost;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        Ok(Overloaded {
            capacity,
            goodput: answers.in_time as f64 / time.as_secs_f64(),
            answers,
            shed_cost,
            mib_before: mib(rss),
            mib_most: mib(most),
        })
    })
}
