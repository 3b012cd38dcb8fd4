//! growth: how the cost of a request grows with what it does. A curve that bends upwards is an error: somewhere, time or
//! memory is spent on each item for every other item.

use std::path::Path;
use std::time::Instant;

use zerver_recorder::Reader;
use zerver_trace::{Query, TraceSelector};

use crate::load::closed_loop;
use crate::load::connection::get;
use crate::load::traffic::Requests;
use crate::plan::Plan;
use crate::report::{median, print_line};
use crate::servers::growth::{FLOWS, SLOTS, STEPS};
use crate::servers::process::{self, Server};
use crate::servers::variant::Variant;

/// Permitted growth of a cost with the size.
#[derive(Clone, Copy)]
enum Growth {
    /// Each further item costs the same.
    Linear,
    /// The size makes no difference.
    Constant,
}

struct Curve {
    name: &'static str,
    sizes: [u64; 3],
    growth: Growth,
}

const CURVES: [Curve; 7] = [
    Curve { name: "steps", sizes: STEPS, growth: Growth::Linear },
    Curve { name: "slots", sizes: SLOTS, growth: Growth::Linear },
    Curve { name: "yields", sizes: [64, 256, 1024], growth: Growth::Linear },
    Curve { name: "effects", sizes: [16, 128, 1024], growth: Growth::Linear },
    Curve { name: "body", sizes: [4 << 10, 32 << 10, 256 << 10], growth: Growth::Linear },
    Curve { name: "flows", sizes: FLOWS, growth: Growth::Constant },
    Curve {
        name: "requests in the store, to find one",
        sizes: [1_000, 8_000, 64_000],
        growth: Growth::Constant,
    },
];

/// Largest growth of a curve. A quadratic one of these sizes grows by at least two, and usually by four or more.
const LIMIT: f64 = 2.0;

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::pin_to(1);
    let curves: Vec<_> = CURVES.iter().filter(|curve| plan.includes(curve.name)).collect();
    let mut costs = vec![[const { Vec::new() }; 3]; curves.len()];
    for _ in 0..plan.rounds {
        for (curve, costs) in std::iter::zip(&curves, &mut costs) {
            let measured = measure(curve, plan).map_err(|error| format!("{}: {error}", curve.name))?;
            std::iter::zip(costs, measured).for_each(|(costs, us)| costs.push(us));
        }
    }
    print_line(&format!("All requests recorded; {} rounds of {:?}", plan.rounds, plan.time));
    print_line("| what grows | from | to | CPU us at each size | growth | limit |");
    print_line("|---|---|---|---|---|---|");
    let mut bent = Vec::new();
    for (curve, costs) in std::iter::zip(&curves, costs) {
        let us = costs.map(|costs| median(costs.into_iter()));
        let growth = curve.growth.of(curve.sizes, us);
        print_line(&format!(
            "| {} | {} | {} | {:.1}, {:.1}, {:.1} | {growth:.2} | {LIMIT} |",
            curve.name, curve.sizes[0], curve.sizes[2], us[0], us[1], us[2]
        ));
        // The measurements of a quick run are too short to be exact.
        if growth > LIMIT && plan.rounds > 1 {
            bent.push(curve.name);
        }
    }
    if bent.is_empty() { Ok(()) } else { Err(format!("grows faster than it should: {}", bent.join(", "))) }
}

impl Growth {
    /// Returns how many times faster the cost grows than it may.
    fn of(self, sizes: [u64; 3], us: [f64; 3]) -> f64 {
        match self {
            Self::Linear => us[2] / us[1] / (sizes[2] as f64 / sizes[1] as f64),
            Self::Constant => us[2] / us[0],
        }
    }
}

/// Returns the processor time of the server for a request of each size, in microseconds.
fn measure(curve: &Curve, plan: &Plan) -> Result<[f64; 3], String> {
    let mut us = [0.0; 3];
    for (size, us) in std::iter::zip(curve.sizes, &mut us) {
        *us = match curve.name {
            "flows" => request_us(&format!("growth-{size}"), &format!("/more/{}", size - 1), plan)?,
            // A quick run only shows that the table can be made.
            name if curve.sizes[2] == 64_000 => find_us(size / if plan.rounds > 1 { 1 } else { 16 })
                .map_err(|error| format!("{name}: {error}"))?,
            name => request_us("growth-0", &format!("/{name}/{size}"), plan)?,
        };
    }
    Ok(us)
}

fn request_us(server: &str, path: &str, plan: &Plan) -> Result<f64, String> {
    let text = |error: std::io::Error| error.to_string();
    let server = Server::start(server)?;
    let body = closed_loop::once(server.addr(), &get(path)).map_err(text)?;
    let requests = Requests::identical(get(path), body);
    // Few connections, so that large bodies do not fill the queue of the recorder.
    let run = |time| closed_loop::run(server.addr(), &requests, 2, time).map_err(text);
    run(plan.time / 8)?;
    let before = server.cpu_at_rest().map_err(text)?;
    let done = run(plan.time / 4)?.requests;
    let cpu = server.cpu_at_rest().map_err(text)? - before;
    server.stop(|_| Ok(()))?;
    Ok(cpu.as_secs_f64() * 1e6 / done.max(1) as f64)
}

/// Returns the time to open a store of this many requests and find one by its id, in microseconds.
fn find_us(requests: u64) -> Result<f64, String> {
    const CONNECTIONS: usize = 8;
    let server = Server::start(Variant::All.argument())?;
    let traffic = Requests::new(crate::load::traffic::Traffic::Sessions);
    closed_loop::count(server.addr(), &traffic, CONNECTIONS, requests / CONNECTIONS as u64)
        .map_err(|error| error.to_string())?;
    server.stop(|store| find(store).map_err(|error| error.to_string()))
}

fn find(store: &Path) -> Result<f64, Box<dyn std::error::Error>> {
    let listed = Reader::open(store)?.list(&Query::default())?;
    let middle = listed.get(listed.len() / 2).ok_or("nothing was recorded")?;
    let selector: TraceSelector = middle.id.to_string().parse()?;
    let mut shortest = f64::INFINITY;
    for _ in 0..20 {
        let began = Instant::now();
        Reader::open(store)?.find(&selector)?;
        shortest = shortest.min(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(shortest)
}
