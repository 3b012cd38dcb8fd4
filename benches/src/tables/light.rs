//! light: `GET /v1/todos/{id}` with a bearer token: load the user, check the roles, load the todo, answer JSON, all in memory.
//! Compares the processor time of the server per request: for requests that differ, as real ones do, for the same request
//! again and again, for answers of 7 KB, and over HTTP/2.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::load::http2::Shape;
use crate::load::traffic::{Requests, Traffic};
use crate::load::{closed_loop, http2};
use crate::plan::Plan;
use crate::report::{median, print_line, quantile};
use crate::servers::process;
use crate::servers::variant::{Started, Variant};

/// A row: a server, and the load that it gets.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Row {
    variant: Variant,
    load: Load,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Load {
    Http1(Traffic),
    Http2(Shape),
}

impl Row {
    fn name(self) -> String {
        match self.load {
            Load::Http1(traffic) => format!("{}{}", self.variant.name(), traffic.suffix()),
            Load::Http2(Shape { connections, streams }) => {
                format!("{}, HTTP/2 {connections}x{streams}", self.variant.name())
            }
        }
    }

    /// Returns the aim: the processor time relative to axum without tracing, under the same load.
    const fn aim(self) -> Option<f64> {
        match (self.variant, self.load) {
            (Variant::LayerTail, Load::Http1(Traffic::Identical)) => Some(1.1),
            (Variant::Unrecorded, Load::Http1(Traffic::Identical)) => Some(1.0),
            (Variant::Tail, Load::Http1(Traffic::Identical)) => Some(1.05),
            (Variant::All, Load::Http1(Traffic::Identical)) => Some(1.3),
            (Variant::All, Load::Http1(Traffic::Sessions | Traffic::Page)) => Some(1.5),
            (Variant::All, Load::Http1(Traffic::Unique)) => Some(1.6),
            (Variant::Unrecorded, Load::Http2(Shape { streams: 100, .. })) => Some(1.2),
            (Variant::All, Load::Http2(Shape { streams: 100, .. })) => Some(1.8),
            _ => None,
        }
    }
}

/// Connections and streams over HTTP/2.
const SHAPES: [Shape; 3] = [
    Shape { connections: 64, streams: 1 },
    Shape { connections: 8, streams: 10 },
    Shape { connections: 4, streams: 100 },
];

/// Servers that answer with pages and over HTTP/2.
const MAIN: [Variant; 4] = [Variant::Axum, Variant::Unrecorded, Variant::Tail, Variant::All];

/// Measurement of one row in one round.
#[derive(Clone, Copy)]
struct Round {
    cpu_us: f64,
    per_second: f64,
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    let mut rows = rows();
    rows.retain(|row| plan.includes(&row.name()));
    let mut rounds = vec![Vec::new(); rows.len()];
    process::pin_to(1);
    for round in 0..plan.rounds {
        // Each round starts with another row, so that none always follows the same one.
        for at in 0..rows.len() {
            let at = (at + round * 7) % rows.len();
            let measured =
                measure(rows[at], plan).map_err(|error| format!("{}: {error}", rows[at].name()))?;
            rounds[at].push(measured);
        }
    }
    print_line(&format!(
        "GET /v1/todos/{{id}}, {} connections unless stated, {} rounds of {:?}",
        plan.connections, plan.rounds, plan.time
    ));
    print_line(
        "| server | CPU us/request | of axum | quartiles | min to max | aim | least us | least, of axum's least | of axum with OTLP | requests/s |",
    );
    print_line("|---|---|---|---|---|---|---|---|---|---|");
    // Other programs only ever add to a measurement, so the least ones are comparable even on a machine that is not quiet.
    let least = |rounds: &[Round]| {
        let cpu_us: Vec<f64> = rounds.iter().map(|round| round.cpu_us).collect();
        quantile(&cpu_us, 0.0)
    };
    for (row, measured) in std::iter::zip(&rows, &rounds) {
        let of = |variant| {
            let other = Row { variant, ..*row };
            let others = rows.iter().position(|row| *row == other).map(|at| &rounds[at]);
            let pairs = std::iter::zip(measured, others.into_iter().flatten());
            pairs.map(|(round, other)| round.cpu_us / other.cpu_us).collect::<Vec<f64>>()
        };
        let (axum, otlp) = (of(Variant::Axum), of(Variant::AxumOtlp));
        let ratio = |values: &[f64], part| match values {
            [] => String::new(),
            _ => format!("{:.2}", quantile(values, part)),
        };
        let axum_row = Row { variant: Variant::Axum, ..*row };
        let axum_least = rows.iter().position(|row| *row == axum_row).map(|at| least(&rounds[at]));
        let of_least = axum_least.map_or(String::new(), |axum| format!("{:.2}", least(measured) / axum));
        let range = |low, high| format!("{} to {}", ratio(&axum, low), ratio(&axum, high));
        print_line(&format!(
            "| {} | {:.2} | {} | {} | {} | {} | {:.2} | {of_least} | {} | {:.0} |",
            row.name(),
            median(measured.iter().map(|round| round.cpu_us)),
            ratio(&axum, 0.5),
            range(0.25, 0.75),
            range(0.0, 1.0),
            row.aim().map_or(String::new(), |aim| format!("{aim:.2}")),
            least(measured),
            ratio(&otlp, 0.5),
            median(measured.iter().map(|round| round.per_second)),
        ));
    }
    Ok(())
}

/// Returns all rows, in the order of the table.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for traffic in [Traffic::Sessions, Traffic::Unique, Traffic::Identical] {
        let takes = Variant::ALL.into_iter().filter(|variant| variant.takes(traffic));
        rows.extend(takes.map(|variant| Row { variant, load: Load::Http1(traffic) }));
    }
    rows.extend(MAIN.map(|variant| Row { variant, load: Load::Http1(Traffic::Page) }));
    for shape in SHAPES {
        rows.extend(MAIN.map(|variant| Row { variant, load: Load::Http2(shape) }));
    }
    rows
}

fn measure(row: Row, plan: &Plan) -> Result<Round, String> {
    let text = |error: std::io::Error| error.to_string();
    let started = Started::new(row.variant, Command::new(process::program()?))?;
    let server = &started.server;
    let run = |time: Duration| match row.load {
        Load::Http1(traffic) => {
            closed_loop::run(server.addr(), &Requests::new(traffic), plan.connections, time).map_err(text)
        }
        Load::Http2(shape) => {
            let requests = Requests::new(Traffic::Identical);
            http2::run(server.addr(), &requests, shape, Instant::now() + time).map_err(text)
        }
    };
    let warm = run(plan.time / 4)?;
    let before = server.cpu_at_rest().map_err(text)?;
    let done = run(plan.time)?;
    // Work on other threads, such as the recorder, counts as well.
    let cpu = server.cpu_at_rest().map_err(text)? - before;
    started.stop(warm.requests + done.requests)?;
    Ok(Round {
        cpu_us: cpu.as_secs_f64() * 1e6 / done.requests as f64,
        per_second: done.requests as f64 / done.took.as_secs_f64(),
    })
}
