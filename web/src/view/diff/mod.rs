//! The comparison of two requests: causes of the difference in time that add up, and what differs.

mod causes;
mod differences;

use maud::{Markup, html};
use zerver_analysis::{Diff, DiffRow, RowStatus, display};
use zerver_trace::Trace;
use zerver_trace::duration::show_signed;

use crate::page::{duration, instant, safe, status_text};
use crate::url;

/// Maximum number of rows.
const MAX_ROWS: usize = 500;

/// State of the page.
#[derive(Debug)]
pub(crate) struct DiffView<'a> {
    pub(crate) a: &'a Trace,
    pub(crate) b: &'a Trace,
    pub(crate) diff: &'a Diff,
    /// Names of the nodes that recorded them, in a fleet.
    pub(crate) nodes: [Option<&'a str>; 2],
    /// True for a file, in which there is nothing to link to.
    pub(crate) is_in_file: bool,
}

pub(crate) fn diff_page(view: &DiffView<'_>) -> Markup {
    let diff = view.diff;
    let swap = url::link("/diff", &[("a", &view.b.id.to_string()), ("b", &view.a.id.to_string())]);
    html! {
        h1 { "Comparison" }
        div.columns {
            (side("a", view.a, view.nodes[0], view.is_in_file))
            (side("b", view.b, view.nodes[1], view.is_in_file))
        }
        p.verdict { strong { (safe(&diff.verdict())) } }
        @if !view.is_in_file { p { a href=(swap) { "Swap a and b" } } }
        @for (what, a, b) in [("Flows", &diff.a.flow, &diff.b.flow), ("Builds", &diff.a.build, &diff.b.build)] {
            @if a != b { p.notice.warn { (what) " differ: " (safe(a)) " and " (safe(b)) } }
        }
        (causes::causes(diff))
        (rows(view))
        (differences::differences(diff))
    }
}

fn side(name: &str, trace: &Trace, node: Option<&str>, is_in_file: bool) -> Markup {
    html! {
        section class={ "side " (name) } {
            h2 { (name) ": " (display::request_line(trace)) }
            p.facts {
                span { (status_text(trace.status)) }
                strong { (duration(trace.duration_ns)) }
                span { (safe(&trace.flow.name)) }
                span { (instant(trace.started_unix_ns)) }
                @if let Some(node) = node { span { "node " (safe(node)) } }
                @if is_in_file { code { (trace.id.to_string()) } }
                @else { a href=(url::request(trace.id, "")) { code { (trace.id.to_string()) } } }
            }
        }
    }
}

/// Returns the style of a difference in time; signs say the same.
fn tone(delta_ns: i128) -> &'static str {
    match delta_ns {
        1.. => "bad",
        0 => "",
        _ => "good",
    }
}

fn rows(view: &DiffView<'_>) -> Markup {
    let longest = view.a.duration_ns.max(view.b.duration_ns);
    let rows = view.diff.display_rows();
    let time = |ns: Option<u64>| ns.map_or_else(|| "–".to_owned(), duration);
    html! {
        section aria-labelledby="rows-title" {
            h2 #rows-title { "Steps and effects" }
            div.scroll tabindex="0" role="group" aria-label="Steps and effects" {
                table.waterfall {
                    caption.visually-hidden { "Steps and effects of both requests" }
                    thead { tr {
                        th scope="col" { "Step or effect" }
                        th.number scope="col" { "a" } th.number scope="col" { "b" }
                        th.number scope="col" { "b − a" } th scope="col" { "What differs" }
                        th.bar-cell scope="col" { "a above b" }
                    } }
                    tbody {
                        @for row in rows.iter().take(MAX_ROWS) {
                            tr class=(if row.is_effect { "effect-row" } else { "step-row" }) {
                                th scope="row" { @if row.is_effect { "↳ " } (row.name) }
                                td.number { (time(row.a_ns())) }
                                td.number { (time(row.b_ns())) }
                                td class={ "number " (tone(row.delta_ns())) } { (show_signed(row.delta_ns())) }
                                td.outcome { (status(row)) @if !row.summary.is_empty() { " " (row.summary) } }
                                td.bar-cell { (bars(row, longest)) }
                            }
                        }
                    }
                }
            }
            @if rows.len() > MAX_ROWS { p.secondary { (rows.len() - MAX_ROWS) " more rows" } }
        }
    }
}

const fn status(row: &DiffRow) -> &'static str {
    match row.status {
        RowStatus::OnlyA => "only in a.",
        RowStatus::OnlyB => "only in b.",
        _ => "",
    }
}

fn bars(row: &DiffRow, longest_ns: u64) -> Markup {
    let percent = |ns: u64| ns as f64 / longest_ns.max(1) as f64 * 100.0;
    let bar = |side: Option<(u64, u64)>, class: &str, y: &str| {
        html! {
            @if let Some((start, took)) = side {
                rect class=(class) x=(format!("{:.2}%", percent(start).min(99.7))) y=(y) height="6"
                    width=(format!("{:.2}%", percent(took).max(0.3))) {}
            }
        }
    };
    html! { svg.bar aria-hidden="true" { (bar(row.a, "side-a", "1")) (bar(row.b, "side-b", "9")) } }
}
