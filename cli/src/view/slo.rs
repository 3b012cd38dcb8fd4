//! Burn rates of objectives, as a table, and the requests that missed them.

use anstyle::Style;
use zerver_analysis::SloReport;
use zerver_replay::{SloMetrics, SloState};
use zerver_trace::RequestId;
use zerver_trace::duration::show;
use zerver_trace::text::clean;

use super::table::{Column, Table};
use super::{paint, style};

/// Returns the table, and a line for each objective that requests have missed. `short` shortens an id.
pub(crate) fn slo(
    reports: &[SloReport],
    until: &str,
    short: &dyn Fn(RequestId) -> String,
    columns: Option<usize>,
) -> String {
    let rows = reports.iter().map(|report| (&report.slo, report.owner.as_deref()));
    let mut out = format!("burn rates until {until}\n\n");
    out += &table(rows, columns);
    for report in reports.iter().filter(|report| !report.worst.is_empty()) {
        out += &format!("\n{}\n", paint(style::STRONG, &clean(&report.query)));
        for request in &report.worst {
            let id = paint(style::ID, &short(request.id));
            let status = paint(style::status(request.status), &request.status.to_string());
            out += &format!("  {id}  {status}  {}\n", show(request.duration_ns));
        }
    }
    out
}

/// Returns a row for each objective.
pub(crate) fn table<'s>(
    rows: impl Iterator<Item = (&'s SloMetrics, Option<&'s str>)>,
    columns: Option<usize>,
) -> String {
    let mut table = Table::new(&[
        Column::Shrinks("flow"),
        Column::Left("owner"),
        Column::Left("objective"),
        Column::Right("5 min"),
        Column::Right("1 h"),
        Column::Right("6 h"),
        Column::Left("state"),
    ]);
    table.optional("owner", 12);
    for (slo, owner) in rows {
        let mut row = vec![
            (style::STRONG, clean(&slo.flow).into_owned()),
            (style::PLAIN, clean(owner.unwrap_or_default()).into_owned()),
            (style::PLAIN, objective(slo)),
        ];
        row.extend(
            slo.windows
                .iter()
                .map(|window| (rate_style(window.burn_rate), format!("{:.1}", window.burn_rate))),
        );
        row.push((state_style(slo.state), slo.state.as_str().to_owned()));
        table.row(row);
    }
    table.draw(columns)
}

/// Returns `p95 50.0 ms` or `errors 0.1%`.
fn objective(slo: &SloMetrics) -> String {
    match slo.limit_ns {
        Some(limit_ns) => format!("{} {}", clean(&slo.objective), show(limit_ns)),
        None => format!("{} {}%", clean(&slo.objective), (slo.budget * 1e6).round() / 1e4),
    }
}

const fn rate_style(burn_rate: f64) -> Style {
    if burn_rate > 1.0 { style::WARN } else { style::PLAIN }
}

const fn state_style(state: SloState) -> Style {
    match state {
        SloState::Ok => style::GOOD,
        SloState::SlowBurn => style::WARN,
        SloState::FastBurn => style::BAD,
    }
}
