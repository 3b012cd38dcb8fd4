//! The line that says which request it is: its id, what was asked, and what became of it, on one line of the terminal.

use anstyle::Style;

use super::timeline::Look;
use super::{fit, paint, style, width};

/// What is said beside method and path, in its order.
pub(super) struct Part {
    style: Style,
    text: String,
    /// What stays of it where there is no room, if that is less.
    least: Option<String>,
    /// Method and path keep this many columns, if they need them, before it gives way.
    asked_first: usize,
}

impl Part {
    /// One that is always said.
    pub(super) fn kept(style: Style, text: impl Into<String>) -> Self {
        Self { style, text: text.into(), least: None, asked_first: 0 }
    }

    /// One that is left out where method and path would have less than `asked_first` columns.
    pub(super) fn spare(style: Style, text: impl Into<String>, asked_first: usize) -> Self {
        Self { style, text: text.into(), least: Some(String::new()), asked_first }
    }

    /// One that is shortened to `least` there.
    pub(super) fn shortened(
        style: Style,
        text: impl Into<String>,
        least: impl Into<String>,
        asked_first: usize,
    ) -> Self {
        Self { style, text: text.into(), least: Some(least.into()), asked_first }
    }
}

/// The line. What gives way first stands last among those with the same `asked_first`; method and path are cut to what
/// room there is in the end. Where it is to be verbose, nothing is.
pub(super) fn head(label: Option<&str>, id: &str, asked: &str, mut parts: Vec<Part>, look: Look) -> String {
    let label_columns = label.map_or(0, |label| width(label) + 2);
    let room = |parts: &[Part]| {
        let shown = parts.iter().filter(|part| !part.text.is_empty());
        let taken = label_columns + width(id) + 2 + shown.map(|part| 2 + width(&part.text)).sum::<usize>();
        look.columns.saturating_sub(taken)
    };
    let mut shown = asked.to_owned();
    if !look.is_verbose {
        let mut order: Vec<usize> = (0..parts.len()).rev().filter(|at| parts[*at].least.is_some()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(parts[*at].asked_first));
        for at in order {
            if room(&parts) < width(asked).min(parts[at].asked_first) {
                parts[at].text = parts[at].least.take().unwrap_or_default();
            }
        }
        shown = fit(asked, room(&parts));
    }
    let label = label.map(|label| format!("{}  ", paint(style::NOTED, label))).unwrap_or_default();
    let parts = parts.iter().filter(|part| !part.text.is_empty());
    let parts: String = parts.map(|part| format!("  {}", paint(part.style, &part.text))).collect();
    format!("{label}{}  {}{parts}\n", paint(style::ID, id), paint(style::STRONG, &shown))
}
