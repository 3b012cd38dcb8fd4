//! mixed: clients that continuously request 5 ms of processor time, and 60 small interactive requests per second.

use std::time::Instant;

use crate::load::open_loop::{self, Answers};
use crate::plan::Plan;
use crate::report::{median, print_line};
use crate::servers::process::{self, Server};

const SERVERS: [(&str, &str); 3] = [
    ("axum 0.8, inline", "busy-axum"),
    ("axum 0.8, spawn_blocking", "busy-axum-blocking"),
    ("zerver", "busy"),
];
const PER_SECOND: f64 = 60.0;

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::pin_to(1);
    let mut rounds: Vec<Vec<(Answers, f64)>> = SERVERS.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.rounds {
        for ((name, server), rounds) in std::iter::zip(SERVERS, &mut rounds) {
            rounds.push(measure(server, plan).map_err(|error| format!("{name}: {error}"))?);
        }
    }
    print_line(&format!(
        "{} clients continuously request 5 ms of work; {PER_SECOND} interactive requests/s; {} rounds of {:?}",
        plan.connections, plan.rounds, plan.time
    ));
    print_line(
        "| server | interactive p50 ms | p99 ms | max ms | p99, times lower than axum inline | batch/s | of axum inline |",
    );
    print_line("|---|---|---|---|---|---|---|");
    for ((name, _), own) in std::iter::zip(SERVERS, &rounds) {
        let of = |rounds: &[(Answers, f64)], ms| median(rounds.iter().map(|(answers, _)| answers.ms(ms)));
        let batch = |rounds: &[(Answers, f64)]| median(rounds.iter().map(|(_, batch)| *batch));
        print_line(&format!(
            "| {name} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.3} |",
            of(own, 500),
            of(own, 990),
            of(own, 1000),
            of(&rounds[0], 990) / of(own, 990),
            batch(own),
            batch(own) / batch(&rounds[0]),
        ));
    }
    Ok(())
}

fn measure(server: &str, plan: &Plan) -> Result<(Answers, f64), String> {
    let server = Server::start(server)?;
    let addr = server.addr();
    let run = async {
        // Until the batch queue is full.
        open_loop::closed(addr, "/report", plan.connections, Instant::now() + plan.time / 4).await?;
        let end = Instant::now() + plan.time;
        let batch = tokio::task::spawn_local(open_loop::closed(addr, "/report", plan.connections, end));
        let answers = open_loop::ask(addr, "/quick", PER_SECOND, end).await?;
        let batch = batch.await.map_err(std::io::Error::other)??;
        Ok::<_, std::io::Error>((answers, batch as f64 / plan.time.as_secs_f64()))
    };
    let result = open_loop::runtime().and_then(|runtime| runtime.block_on(run));
    server.kill()?;
    result.map_err(|error| error.to_string())
}
