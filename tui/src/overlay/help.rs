//! The help: all keys that work on the current screen, generated from their bindings.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::outcome::{KeyTables, OverlayOutcome, centered};
use crate::draw::{Pen, Scroll, border, scrollbar, split_columns};
use crate::keys::{self, KeyPress};
use crate::screen::Tab;
use crate::state::SharedState;
use crate::user_config::KeyMap;

/// Width of the key column.
const KEYS: usize = 17;
/// Width of a column of lines with its borders.
const WIDTH: u16 = 78;
/// Minimum width of the screen that may stay visible beside the help.
const MARGIN: u16 = 8;

/// Open help.
#[derive(Debug)]
pub(crate) struct Help {
    lines: Vec<HelpLine>,
    first: usize,
}

#[derive(Debug)]
enum HelpLine {
    Title(String),
    Key(String, &'static str),
    Text(&'static str),
    Blank,
}

const LEGEND: &[(&str, &str)] = &[
    ("status:5xx", "this status or class of statuses"),
    ("flow:todos", "flow contains this; also method: outcome: class: id:"),
    ("slower:10ms", "took longer; also faster:"),
    ("worker:1", "arrived on a connection of this worker"),
    ("is:failed", "failed requests"),
    ("slot.User.id=7", "a slot, or a field of it, has this value"),
    ("anything else", "matches path and flow fuzzily"),
    ("!term", "negates the term"),
];

impl Help {
    pub(crate) fn new(tables: KeyTables, tab: Tab, map: &KeyMap) -> Self {
        let mut lines = Vec::new();
        for (title, tables) in tables {
            if !lines.is_empty() {
                lines.push(HelpLine::Blank);
            }
            lines.push(HelpLine::Title(title.to_owned()));
            for key in tables.into_iter().flatten() {
                let presses: Vec<String> =
                    map.presses(Some(tab), key).iter().map(|press| press.name()).collect();
                lines.push(HelpLine::Key(presses.join(" "), key.description));
            }
        }
        lines.push(HelpLine::Blank);
        lines.push(HelpLine::Title("filters".to_owned()));
        lines.extend(LEGEND.iter().map(|(term, description)| HelpLine::Key((*term).to_owned(), description)));
        lines.push(HelpLine::Blank);
        lines.push(HelpLine::Text("The mouse works: click, scroll, and drag the line between two panes."));
        lines.push(HelpLine::Text("In most terminals, shift with the mouse selects text as usual."));
        Self { lines, first: 0 }
    }

    /// Returns the area, and the line between two columns if the terminal is wide enough for both.
    fn layout(&self, shared: &SharedState) -> (Rect, Option<usize>) {
        let whole = Rect::new(0, 0, shared.size.width, shared.size.height);
        let len = self.lines.len();
        let blanks = self.lines.iter().enumerate().filter(|(_, line)| matches!(line, HelpLine::Blank));
        let middle = blanks.map(|(at, _)| at).min_by_key(|at| at.abs_diff(len / 2));
        if let Some(middle) = middle.filter(|_| whole.width >= 2 * WIDTH) {
            let height = middle.max(len - middle - 1) as u16 + 2;
            if height <= whole.height {
                return (centered(whole, 2 * WIDTH, height), Some(middle));
            }
        }
        // No stripes of the screen beside the help.
        let width = if whole.width < WIDTH + MARGIN { whole.width } else { WIDTH };
        (centered(whole, width, len as u16 + 2), None)
    }

    pub(super) fn press(&mut self, shared: &SharedState, key: &KeyEvent) -> OverlayOutcome {
        if matches!(key.code, KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '?')) {
            return OverlayOutcome::Close;
        }
        let (area, middle) = self.layout(shared);
        let height = usize::from(area.height.saturating_sub(2));
        let action =
            KeyPress::from_event(key).and_then(|press| shared.key_map.find(None, &[keys::MOVING], press));
        if let Some(action) = action.filter(|_| middle.is_none()) {
            // There is no cursor: keys scroll the view.
            let most = self.lines.len().saturating_sub(height);
            let mut scroll = Scroll { cursor: self.first, first: 0 };
            scroll.apply(action, most + 1, height);
            self.first = scroll.cursor;
        }
        OverlayOutcome::Stay
    }

    pub(super) fn draw(&self, shared: &SharedState, buffer: &mut Buffer) {
        let theme = &shared.theme;
        let (area, middle) = self.layout(shared);
        let inner = border(area, "keys", theme.focus, theme, buffer);
        if let Some(middle) = middle {
            let (left, _, right) = split_columns(inner, inner.width / 2);
            draw_lines(&self.lines[..middle], shared, left, buffer);
            draw_lines(&self.lines[middle + 1..], shared, right, buffer);
            return;
        }
        let first = self.first.min(self.lines.len().saturating_sub(usize::from(inner.height)));
        draw_lines(&self.lines[first..], shared, inner, buffer);
        let bar = Rect { width: area.width, y: inner.y, height: inner.height, ..area };
        scrollbar(bar, first, self.lines.len(), theme, buffer);
    }
}

fn draw_lines(lines: &[HelpLine], shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    for (row, line) in (0..area.height).zip(lines) {
        let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
        pen.skip(1);
        match line {
            HelpLine::Title(title) => pen.put(title, theme.strong),
            HelpLine::Key(presses, description) => {
                pen.skip(1).left(presses, KEYS, theme.key).skip(1).put(description, theme.text)
            }
            HelpLine::Text(text) => pen.put(text, theme.secondary),
            HelpLine::Blank => &mut pen,
        };
    }
}
