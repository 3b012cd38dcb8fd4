//! The parts of a request's page that a file needs, without links.

use maud::{Markup, html};

use super::exchange;
use super::time_scale::TimeScale;
use super::totals::totals;
use super::waterfall::Waterfall;
use crate::loaded_trace::LoadedTrace;
use crate::view::value_link::ValueStyle;

/// Number of rows up to which phases are shown.
const MAX_WITH_PHASES: usize = 100;

/// Parts of a file about a request.
#[derive(Debug)]
pub(crate) struct FileParts {
    pub(crate) waterfall: Markup,
    pub(crate) totals: Markup,
    pub(crate) request: Markup,
    pub(crate) response: Markup,
}

impl FileParts {
    /// Renders the parts, with at most this many rows, and values of at most `limit` bytes.
    pub(crate) fn new(loaded: &LoadedTrace, max_rows: usize, limit: usize) -> Self {
        let rows: Vec<_> = loaded.rows.iter().enumerate().take(max_rows).collect();
        let scale = TimeScale::even(loaded.timeline.totals.total_ns);
        let shows_phases = loaded.rows.len() <= MAX_WITH_PHASES;
        let style = ValueStyle { limit, has_links: false };
        let waterfall =
            Waterfall { loaded, rows: &rows, scale: &scale, selected: None, shows_phases, link: None };
        Self {
            waterfall: waterfall.table(),
            totals: totals(loaded),
            request: html! {
                section aria-labelledby="request-title" { h2 #request-title { "Request" } (exchange::request(loaded, style)) }
            },
            response: html! {
                section aria-labelledby="response-title" { h2 #response-title { "Response" } (exchange::response(loaded, style)) }
            },
        }
    }
}
