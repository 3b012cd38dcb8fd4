//! The command palette: finds any available action by a part of its description.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::outcome::{KeyTables, OverlayOutcome, centered};
use crate::draw::{Pen, Scroll, border};
use crate::keys::Action;
use crate::screen::Tab;
use crate::state::SharedState;
use crate::text_input::TextInput;
use crate::user_config::KeyMap;

const WIDTH: u16 = 70;
/// Number of visible entries.
const LINES: u16 = 12;

/// Open command palette.
#[derive(Debug)]
pub(crate) struct CommandPalette {
    entries: Vec<PaletteEntry>,
    prompt: TextInput,
    /// Matching entries, best first.
    found: Vec<usize>,
    scroll: Scroll,
}

#[derive(Debug)]
struct PaletteEntry {
    action: Action,
    description: &'static str,
    press: String,
}

impl CommandPalette {
    /// Lists the actions for which `is_available` returns true.
    pub(crate) fn new(
        tables: KeyTables,
        tab: Tab,
        map: &KeyMap,
        is_available: impl Fn(Action) -> bool,
    ) -> Self {
        let keys = tables.into_iter().flat_map(|(_, tables)| tables).flatten();
        let mut entries: Vec<PaletteEntry> = Vec::new();
        for key in keys {
            // The most specific table wins, as for keys. Movements are left out.
            let is_known = entries.iter().any(|entry| entry.action == key.action);
            if !is_known && !key.action.is_moving() && is_available(key.action) {
                let press =
                    map.presses(Some(tab), key).first().map_or_else(String::new, |press| press.name());
                entries.push(PaletteEntry { action: key.action, description: key.description, press });
            }
        }
        let found = (0..entries.len()).collect();
        Self { entries, prompt: TextInput::default(), found, scroll: Scroll::default() }
    }

    pub(super) fn press(&mut self, key: &KeyEvent) -> OverlayOutcome {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return OverlayOutcome::Close,
            KeyCode::Char('c') if is_control => return OverlayOutcome::Close,
            KeyCode::Enter => {
                let selected = self.found.get(self.scroll.cursor);
                return selected
                    .map_or(OverlayOutcome::Close, |at| OverlayOutcome::Run(self.entries[*at].action));
            }
            KeyCode::Backspace if self.prompt.is_empty() => return OverlayOutcome::Close,
            KeyCode::Down | KeyCode::Tab => self.move_cursor(Action::Down),
            KeyCode::Char('n') if is_control => self.move_cursor(Action::Down),
            KeyCode::Up | KeyCode::BackTab => self.move_cursor(Action::Up),
            KeyCode::Char('p') if is_control => self.move_cursor(Action::Up),
            _ if self.prompt.press(key) => self.find(),
            _ => {}
        }
        OverlayOutcome::Stay
    }

    fn move_cursor(&mut self, action: Action) {
        self.scroll.apply(action, self.found.len(), usize::from(LINES));
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.prompt.paste(text);
        self.find();
    }

    fn find(&mut self) {
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(&self.prompt.text(), CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize)> = self
            .entries
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| {
                Some((pattern.score(Utf32Str::new(entry.description, &mut buffer), &mut matcher)?, at))
            })
            .collect();
        scored.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
        self.found = scored.into_iter().map(|(_, at)| at).collect();
        self.scroll = Scroll::default();
    }

    pub(super) fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
        let theme = &shared.theme;
        let area = centered(area, WIDTH, LINES + 3);
        let inner = border(area, "commands", theme.focus, theme, buffer);
        let mut pen = Pen::new(buffer, inner, 0, theme.glyphs.ellipsis);
        self.prompt.draw(pen.put(":", theme.key), theme);
        let mut scroll = self.scroll;
        scroll.clamp(self.found.len(), usize::from(inner.height.saturating_sub(1)));
        let shown = self.found.iter().enumerate().skip(scroll.first);
        for (row, (at, entry)) in (1..inner.height).zip(shown) {
            let entry = &self.entries[*entry];
            let mut pen = Pen::new(buffer, inner, row, theme.glyphs.ellipsis);
            pen.skip(1).left(&entry.press, 8, theme.key).skip(1).put(entry.description, theme.text);
            if at == scroll.cursor {
                let line = Rect { y: inner.y + row, height: 1, ..inner };
                buffer.set_style(line.intersection(buffer.area), theme.selected);
            }
        }
        if self.found.is_empty() {
            Pen::new(buffer, inner, 1, theme.glyphs.ellipsis)
                .skip(1)
                .put("no matching command", theme.secondary);
        }
    }
}
