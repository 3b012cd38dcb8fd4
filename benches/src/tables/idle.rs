//! idle: what a connection takes that waits for its next request, and what a request takes that waits for an effect.

use std::io;
use std::time::Duration;

use crate::client::{Connection, get};
use crate::open_loop;
use crate::process::{self, Server};
use crate::{Plan, say};

const SERVERS: [(&str, &str); 2] = [("axum 0.8", "busy-axum"), ("zerver", "busy")];

/// What one takes, in bytes; none where there were too few to show in what the system counts.
struct Each {
    connection: Option<f64>,
    parked: Option<f64>,
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::stay_on(1);
    // Some files are open for other reasons.
    let many = plan.many.min(process::open_many().saturating_sub(100));
    let mut each = Vec::new();
    for (name, server) in SERVERS {
        let server = Server::start(server).map_err(|error| format!("{name}: {error}"))?;
        let measured = open_loop::runtime().and_then(|runtime| runtime.block_on(measure(&server, many)));
        server.kill()?;
        each.push(measured.map_err(|error| format!("{name}: {error}"))?);
    }
    let fewer = if many < plan.many { ", as many as may be opened here" } else { "" };
    say(&format!("{many} connections{fewer}: idle after an answer; then each with a request that sleeps"));
    say("| server | bytes per idle connection | of axum | bytes more per parked request | of axum |");
    say("|---|---|---|---|---|");
    for ((name, _), own) in std::iter::zip(SERVERS, &each) {
        say(&format!(
            "| {name} | {} | {} | {} | {} |",
            shown(own.connection, 0),
            shown(ratio(own.connection, each[0].connection), 2),
            shown(own.parked, 0),
            shown(ratio(own.parked, each[0].parked), 2),
        ));
    }
    Ok(())
}

fn ratio(own: Option<f64>, other: Option<f64>) -> Option<f64> {
    own.zip(other).map(|(own, other)| own / other)
}

fn shown(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "too few".to_owned(), |figure| format!("{figure:.digits$}"))
}

async fn measure(server: &Server, many: usize) -> io::Result<Each> {
    let (quick, sleep) = (get("/quick"), get("/sleep"));
    // What everybody needs is there.
    Connection::open(server.addr()).await?.ask(&quick).await?;
    let empty = settled(server).await?;
    let mut connections = Vec::new();
    for _ in 0..many {
        let mut connection = Connection::open(server.addr()).await?;
        connection.ask(&quick).await?;
        connection.rest();
        connections.push(connection);
    }
    let idle = settled(server).await?;
    for connection in &mut connections {
        connection.send(&sleep).await?;
    }
    let parked = settled(server).await?;
    // What there is already may be enough for a few.
    let each = |before: f64, after: f64| (after > before).then(|| (after - before) / many as f64);
    Ok(Each { connection: each(empty, idle), parked: each(idle, parked) })
}

/// How much memory it has when it has nothing more to do.
async fn settled(server: &Server) -> io::Result<f64> {
    let mut before = None;
    loop {
        let now = (server.memory()?.0, server.cpu()?);
        // The watchdog of a service looks about all the time, for a few microseconds.
        let is_still = |(memory, cpu)| memory == now.0 && now.1 - cpu < Duration::from_millis(1);
        if before.is_some_and(is_still) {
            return Ok(now.0 as f64);
        }
        before = Some(now);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
