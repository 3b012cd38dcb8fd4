//! Links from a value to the page that shows where it came from.

use maud::{Markup, html};
use zerver_trace::text::clean;

use crate::loaded_trace::LoadedTrace;
use crate::url;

/// Style of values: on a page, or in a file without links.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValueStyle {
    /// Maximum length of a value, in bytes.
    pub(crate) limit: usize,
    pub(crate) has_links: bool,
}

impl ValueStyle {
    /// Returns a link to the sources of a value. Empty in a file, and for a request that cannot be replayed.
    pub(crate) fn sources_link(self, loaded: &LoadedTrace, path: &str) -> Markup {
        html! {
            // A name with a dot would be read as two, and the page says so; one that cannot be typed has no link.
            @if self.has_links && loaded.trace.has_steps() && clean(path) == path {
                " " a.origin href=(url::link(&url::request(loaded.trace.id, "value"), &[("of", path)])) {
                    "from where?" span.visually-hidden { " " (path) }
                }
            }
        }
    }
}
