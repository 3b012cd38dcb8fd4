//! The help: all keys that work on the current screen, generated from their bindings.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::outcome::{KeyTables, OverlayOutcome, centered};
use crate::draw::{Pen, Scroll, border, scrollbar};
use crate::keys::{self, KeyPress};
use crate::state::SharedState;

/// Width of the key column.
const KEYS: usize = 17;
const WIDTH: u16 = 78;

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
    ("flow:todos", "name of the flow contains this; also method: outcome: class: id:"),
    ("slower:10ms", "took longer; also faster:"),
    ("worker:1", "arrived on a connection of this worker"),
    ("is:failed", "failed requests"),
    ("slot.User.id=7", "a slot, or a field of it, has this value"),
    ("anything else", "matches path and flow fuzzily"),
    ("!term", "negates the term"),
];

impl Help {
    pub(crate) fn new(tables: KeyTables) -> Self {
        let mut lines = Vec::new();
        for (title, tables) in tables {
            if !lines.is_empty() {
                lines.push(HelpLine::Blank);
            }
            lines.push(HelpLine::Title(title.to_owned()));
            for key in tables.into_iter().flatten() {
                let presses: Vec<String> = key.presses.iter().map(|press| press.name()).collect();
                lines.push(HelpLine::Key(presses.join(" "), key.what));
            }
        }
        lines.push(HelpLine::Blank);
        lines.push(HelpLine::Title("filters".to_owned()));
        lines.extend(LEGEND.iter().map(|(term, what)| HelpLine::Key((*term).to_owned(), what)));
        lines.push(HelpLine::Blank);
        lines.push(HelpLine::Text("The mouse works: click, scroll, and drag the line between two panes."));
        lines.push(HelpLine::Text("In most terminals, shift with the mouse selects text as usual."));
        Self { lines, first: 0 }
    }

    fn area(&self, shared: &SharedState) -> Rect {
        let whole = Rect::new(0, 0, shared.size.width, shared.size.height);
        centered(whole, WIDTH, self.lines.len() as u16 + 2)
    }

    pub(super) fn press(&mut self, shared: &SharedState, key: &KeyEvent) -> OverlayOutcome {
        let height = usize::from(self.area(shared).height.saturating_sub(2));
        if matches!(key.code, KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '?')) {
            return OverlayOutcome::Close;
        }
        if let Some(action) = KeyPress::from_event(key).and_then(|press| keys::find(&[keys::MOVING], press)) {
            // There is no cursor: keys scroll the view.
            let most = self.lines.len().saturating_sub(height);
            let mut scroll = Scroll { cursor: self.first, first: 0 };
            scroll.apply(action, most + 1, height);
            self.first = scroll.cursor;
        }
        OverlayOutcome::Stay
    }

    pub(super) fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
        let theme = &shared.theme;
        let area = centered(area, WIDTH, self.lines.len() as u16 + 2);
        let inner = border(area, "keys", theme.focus, theme, buffer);
        let first = self.first.min(self.lines.len().saturating_sub(usize::from(inner.height)));
        for (row, line) in (0..inner.height).zip(&self.lines[first..]) {
            let mut pen = Pen::new(buffer, inner, row, theme.glyphs.ellipsis);
            pen.skip(1);
            match line {
                HelpLine::Title(title) => pen.put(title, theme.strong),
                HelpLine::Key(presses, what) => {
                    pen.skip(1).left(presses, KEYS, theme.key).skip(1).put(what, theme.text)
                }
                HelpLine::Text(text) => pen.put(text, theme.secondary),
                HelpLine::Blank => &mut pen,
            };
        }
        let bar = Rect { width: area.width, y: inner.y, height: inner.height, ..area };
        scrollbar(bar, first, self.lines.len(), theme, buffer);
    }
}
