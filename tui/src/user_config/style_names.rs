//! Names of styles by meaning.

use ratatui::style::Style;

use crate::theme::Theme;

/// Access to a style of a theme.
type StyleOf = fn(&mut Theme) -> &mut Style;

/// Styles by name, with what they are for. The names are part of users' files.
pub(super) const STYLES: &[(&str, StyleOf, &str)] = &[
    ("text", |theme| &mut theme.text, "text"),
    ("secondary", |theme| &mut theme.secondary, "what matters less"),
    ("strong", |theme| &mut theme.strong, "titles"),
    ("id", |theme| &mut theme.id, "ids of requests"),
    ("good", |theme| &mut theme.good, "success"),
    ("info", |theme| &mut theme.info, "hints, redirects, matches"),
    ("warn", |theme| &mut theme.warn, "what deserves a look"),
    ("bad", |theme| &mut theme.bad, "failures"),
    ("client-error", |theme| &mut theme.client_error, "responses of 4xx"),
    ("cpu", |theme| &mut theme.cpu, "steps in the waterfall"),
    ("effect", |theme| &mut theme.effect, "effects in the waterfall"),
    ("queue", |theme| &mut theme.queue, "waiting in the waterfall"),
    ("retry", |theme| &mut theme.retry, "attempts that were repeated"),
    ("border", |theme| &mut theme.border, "borders"),
    ("focus", |theme| &mut theme.focus, "borders of what has the focus"),
    ("selected", |theme| &mut theme.selected, "the selected row"),
    ("selected-inactive", |theme| &mut theme.selected_inactive, "the selected row without the focus"),
    ("key", |theme| &mut theme.key, "keys in the footer and the help"),
    ("mark", |theme| &mut theme.mark, "marked rows"),
];

/// A style that the user has chosen.
#[derive(Debug, Clone)]
pub(super) struct StyleChange {
    pub(super) of: StyleOf,
    pub(super) style: Style,
}

impl StyleChange {
    pub(super) fn apply(&self, theme: &mut Theme) {
        *(self.of)(theme) = self.style;
    }
}
