//! idle: memory of a connection that waits for its next request, and of a request that waits for an effect.

use std::io;
use std::time::Duration;

use crate::load::connection::{Connection, get};
use crate::load::open_loop;
use crate::plan::Plan;
use crate::report::print_line;
use crate::servers::process::{self, Server};

const SERVERS: [(&str, &str); 2] = [("axum 0.8", "busy-axum"), ("zerver", "busy")];

/// Memory in bytes; `None` if there were too few to show in the resident memory.
struct Each {
    connection: Option<f64>,
    parked: Option<f64>,
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::pin_to(1);
    // Leaves room for other open files.
    let many = plan.count.min(process::raise_file_limit().saturating_sub(100));
    let mut each = Vec::new();
    for (name, server) in SERVERS {
        let server = Server::start(server).map_err(|error| format!("{name}: {error}"))?;
        let measured = open_loop::runtime().and_then(|runtime| runtime.block_on(measure(&server, many)));
        server.kill()?;
        each.push(measured.map_err(|error| format!("{name}: {error}"))?);
    }
    let fewer = if many < plan.count { ", limited by the number of open files" } else { "" };
    print_line(&format!(
        "{many} connections{fewer}: idle after an answer; then each with a request that sleeps"
    ));
    print_line("| server | bytes per idle connection | of axum | bytes more per parked request | of axum |");
    print_line("|---|---|---|---|---|");
    for ((name, _), own) in std::iter::zip(SERVERS, &each) {
        print_line(&format!(
            "| {name} | {} | {} | {} | {} |",
            format_figure(own.connection, 0),
            format_figure(ratio(own.connection, each[0].connection), 2),
            format_figure(own.parked, 0),
            format_figure(ratio(own.parked, each[0].parked), 2),
        ));
    }
    Ok(())
}

fn ratio(own: Option<f64>, other: Option<f64>) -> Option<f64> {
    own.zip(other).map(|(own, other)| own / other)
}

fn format_figure(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "too few".to_owned(), |figure| format!("{figure:.digits$}"))
}

async fn measure(server: &Server, many: usize) -> io::Result<Each> {
    let (quick, sleep) = (get("/quick"), get("/sleep"));
    // Allocates whatever the first request allocates.
    Connection::open(server.addr()).await?.ask(&quick).await?;
    let empty = settled(server).await?;
    let mut connections = Vec::new();
    for _ in 0..many {
        let mut connection = Connection::open(server.addr()).await?;
        connection.ask(&quick).await?;
        connection.release_buffer();
        connections.push(connection);
    }
    let idle = settled(server).await?;
    for connection in &mut connections {
        connection.send(&sleep).await?;
    }
    let parked = settled(server).await?;
    // Free memory of the process may be enough for a few.
    let each = |before: f64, after: f64| (after > before).then(|| (after - before) / many as f64);
    Ok(Each { connection: each(empty, idle), parked: each(idle, parked) })
}

/// Returns the resident memory once the server is at rest.
async fn settled(server: &Server) -> io::Result<f64> {
    let mut before = None;
    loop {
        let now = (server.memory()?.0, server.cpu()?);
        // The watchdog of a service always uses a few microseconds.
        let is_still = |(memory, cpu)| memory == now.0 && now.1 - cpu < Duration::from_millis(1);
        if before.is_some_and(is_still) {
            return Ok(now.0 as f64);
        }
        before = Some(now);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
