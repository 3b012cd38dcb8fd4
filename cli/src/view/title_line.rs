//! The line that identifies a request: its id, method and path, status, duration and more, fitted to the terminal.

use anstyle::Style;
use zerver_trace::{Kept, Trace};

use super::layout::Layout;
use super::status::status_of;
use super::{fit, paint, style, width};

/// A part of the line after method and path.
pub(super) struct Part {
    style: Style,
    text: String,
    /// Shorter form for lack of space; `None` if there is none.
    least: Option<String>,
    /// Number of columns that method and path get before this part is shortened.
    path_columns: usize,
}

impl Part {
    /// Returns a part that is always shown.
    pub(super) fn kept(style: Style, text: impl Into<String>) -> Self {
        Self { style, text: text.into(), least: None, path_columns: 0 }
    }

    /// Returns a part that is left out if method and path would get less than `path_columns` columns.
    pub(super) fn spare(style: Style, text: impl Into<String>, path_columns: usize) -> Self {
        Self { style, text: text.into(), least: Some(String::new()), path_columns }
    }

    /// Returns a part that is shortened to `least` instead.
    pub(super) fn shortened(
        style: Style,
        text: impl Into<String>,
        least: impl Into<String>,
        path_columns: usize,
    ) -> Self {
        Self { style, text: text.into(), least: Some(least.into()), path_columns }
    }

    /// Returns a status with its reason phrase, which is left out for lack of space.
    pub(super) fn status(trace: &Trace) -> Self {
        let (code, words) = (trace.status, status_of(trace));
        let least = if code == 0 { words.clone() } else { code.to_string() };
        let style =
            if trace.kept == Kept::Imported && code == 0 { style::FAINT } else { style::status(code) };
        Self::shortened(style, words, least, 32)
    }
}

/// Returns the line. Parts with higher `path_columns` are shortened first, later ones before earlier ones; method and path are
/// truncated to the space that is left. Verbose output shortens nothing.
pub(super) fn title_line(
    label: Option<&str>,
    id: &str,
    request: &str,
    mut parts: Vec<Part>,
    layout: Layout,
) -> String {
    let label_columns = label.map_or(0, |label| width(label) + 2);
    let room = |parts: &[Part]| {
        let shown = parts.iter().filter(|part| !part.text.is_empty());
        let taken = label_columns + width(id) + 2 + shown.map(|part| 2 + width(&part.text)).sum::<usize>();
        layout.columns.saturating_sub(taken)
    };
    let mut shown = request.to_owned();
    if !layout.is_verbose {
        let mut order: Vec<usize> = (0..parts.len()).rev().filter(|at| parts[*at].least.is_some()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(parts[*at].path_columns));
        for at in order {
            if room(&parts) < width(request).min(parts[at].path_columns) {
                parts[at].text = parts[at].least.take().unwrap_or_default();
            }
        }
        shown = fit(request, room(&parts));
    }
    let label = label.map(|label| format!("{}  ", paint(style::NOTED, label))).unwrap_or_default();
    let parts = parts.iter().filter(|part| !part.text.is_empty());
    let parts: String = parts.map(|part| format!("  {}", paint(part.style, &part.text))).collect();
    format!("{label}{}  {}{parts}\n", paint(style::ID, id), paint(style::STRONG, &shown))
}
