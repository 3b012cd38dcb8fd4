//! A request as a file: its waterfall, the details of each row, its events, and its messages.

use maud::{Markup, html};
use zerver_analysis::{Moments, RowSubject, describe_moment};
use zerver_trace::Trace;

use super::document::document;
use crate::loaded_trace::LoadedTrace;
use crate::page::{amount, duration, safe};
use crate::view::request::{FileParts, detail, head};
use crate::view::value_link::ValueStyle;

/// Maximum number of rows, and of events.
const MAX_ROWS: usize = 400;
const MAX_EVENTS: usize = 400;
/// Maximum length of a value, and of all details together, in bytes.
const MAX_VALUE: usize = 4 * 1024;
const MAX_DETAILS: usize = 120 * 1024;

/// Returns a request as a file.
pub fn request_html(trace: &Trace) -> String {
    let loaded = LoadedTrace::new(trace.clone());
    let parts = FileParts::new(&loaded, MAX_ROWS, MAX_VALUE);
    let content = html! {
        (head(&loaded, None))
        div.scroll tabindex="0" role="group" aria-label="Waterfall" { (parts.waterfall) }
        @if loaded.rows.len() > MAX_ROWS { p.secondary { (loaded.rows.len() - MAX_ROWS) " more rows are not in this file" } }
        div.columns { (parts.totals) (parts.request) (parts.response) }
        (details(&loaded))
        (events(&loaded))
    };
    document(&format!("{} {}", safe(&trace.method), safe(&trace.path)), &content)
}

/// Returns what can be unfolded: each step and effect with its values, as far as there is room.
fn details(loaded: &LoadedTrace) -> Markup {
    let mut room = MAX_DETAILS;
    let mut left_out = 0;
    let mut all = Vec::new();
    for row in loaded.rows.iter().take(MAX_ROWS) {
        if matches!(row.subject, RowSubject::Request | RowSubject::Response) {
            continue;
        }
        let content = detail(loaded, row.subject, ValueStyle { limit: MAX_VALUE, has_links: false });
        match room.checked_sub(content.0.len()) {
            Some(rest) => {
                room = rest;
                all.push((row, content));
            }
            None => left_out += 1,
        }
    }
    html! {
        section aria-labelledby="details-title" {
            h2 #details-title { "Steps and effects" }
            @for (row, content) in all {
                details {
                    summary {
                        @if row.state.is_failure() { "✗ " } (safe(&row.name)) " " span.secondary { (duration(row.took_ns)) " " (safe(&row.outcome)) }
                    }
                    div.detail { (content) }
                }
            }
            @if left_out > 0 { p.secondary { (amount(left_out, "row", "rows")) " with large values left out" } }
        }
    }
}

fn events(loaded: &LoadedTrace) -> Markup {
    let moments = Moments::new(&loaded.trace, &loaded.timeline, &loaded.rows);
    let listed = (0..moments.len()).filter_map(|at| moments.get(at)).take(MAX_EVENTS);
    html! {
        details {
            summary { (amount(moments.len(), "event", "events")) }
            table.numbers {
                caption.visually-hidden { "Events of the request" }
                thead { tr { th.number scope="col" { "At" } th scope="col" { "Event" } } }
                tbody { @for moment in listed { tr {
                    td.number { (duration(moment.at_ns)) }
                    td { (safe(&describe_moment(&loaded.trace, &loaded.timeline, moment))) }
                } } }
            }
            @if moments.len() > MAX_EVENTS { p.secondary { (moments.len() - MAX_EVENTS) " later events are not in this file" } }
        }
    }
}
