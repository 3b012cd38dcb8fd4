//! A report as slow and as unreliable as requested: `/reports/todos?latency_ms=250`, `/reports/todos?fails=1`.

use zerver::effects::{http, kv};
use zerver::prelude::*;

use crate::model::Todo;

/// Parameters of the report.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct ReportParams {
    latency_ms: u64,
    /// Number of times that the upstream fails before it answers.
    fails: u32,
}

/// Figures from the upstream.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    visitors: u64,
}

/// Numbers of open and completed todos.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    open: usize,
    completed: usize,
}

#[step]
pub fn parse_report(request: &Request) -> Result<ReportParams, Failure> {
    let fails = request.query_as("fails")?.unwrap_or(0);
    match request.query_as("latency_ms")?.unwrap_or(0) {
        latency_ms @ 0..=10_000 => Ok(ReportParams { latency_ms, fails }),
        _ => Err(Failure::invalid("latency_ms").message("at most 10000")),
    }
}

/// Fetches the figures, once more if that fails, and reads the todos at the same time.
#[step]
pub fn gather(params: &ReportParams) -> Decision<(Figures, Tally)> {
    let again = params.clone();
    let figures = fetch_figures(params, 1).attempt().and_then(move |figures| match figures {
        Ok(figures) => Effect::ready(figures),
        Err(_) => fetch_figures(&again, 2),
    });
    let tally = kv::list::<Todo>("todo").map(|entries| {
        let completed = entries.iter().filter(|(_, todo)| todo.completed).count();
        Tally { open: entries.len() - completed, completed }
    });
    Need(all((figures, tally)))
}

fn fetch_figures(params: &ReportParams, attempt: u32) -> Effect<Figures> {
    http::get("http://figures.internal/figures")
        .query("latency_ms", params.latency_ms)
        .query("fails", params.fails)
        .header("x-attempt", attempt.to_string())
        .timeout(15.seconds())
        .json()
}

#[derive(Serialize)]
struct Report<'a> {
    visitors: u64,
    todos: &'a Tally,
}

#[step]
pub fn render_report(figures: &Figures, tally: &Tally) -> Response {
    Response::json(&Report { visitors: figures.visitors, todos: tally })
}
