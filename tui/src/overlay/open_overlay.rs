//! The overlay that is open.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::command_palette::CommandPalette;
use super::help::Help;
use super::outcome::OverlayOutcome;
use super::value_sources::ValueSources;
use crate::state::SharedState;

/// Open overlay.
#[derive(Debug)]
pub(crate) enum Overlay {
    Help(Help),
    Palette(CommandPalette),
    Sources(ValueSources),
}

impl Overlay {
    pub(crate) fn press(&mut self, shared: &SharedState, key: &KeyEvent) -> OverlayOutcome {
        match self {
            Self::Help(help) => help.press(shared, key),
            Self::Palette(palette) => palette.press(key),
            Self::Sources(sources) => sources.press(shared, key),
        }
    }

    pub(crate) fn paste(&mut self, text: &str) {
        if let Self::Palette(palette) = self {
            palette.paste(text);
        }
    }

    pub(crate) fn draw(&self, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
        match self {
            Self::Help(help) => help.draw(shared, buffer),
            Self::Palette(palette) => palette.draw(shared, area, buffer),
            Self::Sources(sources) => sources.draw(shared, buffer),
        }
    }
}
