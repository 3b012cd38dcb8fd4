//! Where the time of a request went: parts that add up, as a bar and as a table.

use maud::{Markup, html};
use zerver_analysis::{HolderKind, QueueHolders};
use zerver_trace::duration::{show, show_parts};

use crate::loaded_trace::LoadedTrace;
use crate::page::{amount, safe};
use crate::url;

/// Maximum number of groups of requests that are shown.
const MAX_HOLDERS: usize = 8;
/// Number of digits of an id. Every page of ids has as many.
const ID_DIGITS: usize = 12;

pub(super) fn totals(loaded: &LoadedTrace) -> Markup {
    let totals = &loaded.timeline.totals;
    let parts = [
        ("effects", totals.wait_ns, "effect"),
        ("CPU", totals.cpu_ns, "cpu"),
        ("queue", totals.queue_ns, "queue"),
        ("late answers", totals.completion_delay_ns, "late"),
        ("body", totals.receive_ns, "receive"),
        ("unexplained", totals.unexplained_ns, "unknown"),
    ];
    let all = parts.map(|(_, ns, _)| ns);
    let whole = totals.total_ns.max(1) as f64;
    let mut from = 0.0;
    let shown: Vec<_> = parts.iter().zip(show_parts(&all)).filter(|((_, ns, _), _)| *ns > 0).collect();
    let percents = percents(&shown.iter().map(|((_, ns, _), _)| *ns).collect::<Vec<_>>(), totals.total_ns);
    html! {
        section aria-labelledby="totals-title" {
            h2 #totals-title { "Where the time went" }
            svg.bar.totals aria-hidden="true" {
                @for ((_, ns, class), _) in &shown {
                    @let width = *ns as f64 / whole * 100.0;
                    @let x = after(&mut from, width);
                    rect class=(class) x=(format!("{x:.2}%")) width=(format!("{width:.2}%")) y="1" height="14" {}
                }
            }
            table.numbers {
                caption.visually-hidden { "Parts of the time; they add up to the whole" }
                thead { tr { th scope="col" { "Part" } th.number scope="col" { "Time" } th.number scope="col" { "%" } } }
                tbody {
                    @for (((name, _, _), time), percent) in shown.iter().zip(&percents) {
                        tr {
                            th scope="row" { (name) }
                            td.number { (time) }
                            td.number { @if *percent == 0 { "<1" } @else { (percent) } }
                        }
                    }
                }
                tfoot { tr { th scope="row" { "total" } td.number { (show(totals.total_ns)) } td.number { "100" } } }
            }
            @if !totals.io.is_empty() {
                ul.plain {
                    @for (kind, io) in &totals.io {
                        li { (safe(kind)) ": " (show(io.time_ns)) " in " (amount(io.calls as usize, "call", "calls")) }
                    }
                }
            }
            @if let Some(queue) = &loaded.queue { (holders(queue)) }
            @for read in &loaded.timeline.read_delays { p.notice.warn { "Read late: " (safe(&read.to_string())) } }
            @for gap in &loaded.timeline.gaps { p.notice.warn { "Missing: " (safe(&gap.to_string())) } }
        }
    }
}

/// Returns what held the thread while the request was queued, the longest first, with links to the requests.
fn holders(queue: &QueueHolders) -> Markup {
    let lines = queue.lines(ID_DIGITS);
    let hidden = lines.len().saturating_sub(MAX_HOLDERS);
    html! {
        h3 { "Queued behind" }
        ul.plain {
            @for (group, line) in queue.groups().iter().zip(&lines).take(MAX_HOLDERS) {
                li {
                    @match &group.longest.kind {
                        HolderKind::Step { request, .. } => a href=(url::request(*request, "")) { (safe(line)) },
                        HolderKind::NotRecorded | HolderKind::NoStep | HolderKind::UnknownThread => (safe(line)),
                    }
                }
            }
            @if hidden > 0 { li.secondary { "and " (hidden) " more" } }
        }
    }
}

/// Moves a position on by a width, and returns it as it was.
fn after(position: &mut f64, width: f64) -> f64 {
    let before = *position;
    *position += width;
    before
}

/// Returns the parts in percent, rounded so that they add up to 100.
fn percents(parts_ns: &[u64], whole_ns: u64) -> Vec<u128> {
    let whole = u128::from(whole_ns.max(1));
    let rounded = |ns: u128| (ns * 100 + whole / 2) / whole;
    let up_to = |sum: &mut u128, ns: &u64| {
        let before = rounded(*sum);
        *sum += u128::from(*ns);
        Some(rounded(*sum) - before)
    };
    parts_ns.iter().scan(0, up_to).collect()
}
