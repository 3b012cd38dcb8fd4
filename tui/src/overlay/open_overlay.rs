//! What lies over a screen for a while, and has all keys: the help and the palette.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::command_palette::Palette;
use super::help::Help;
use super::outcome::Outcome;
use crate::state::Shared;

/// What is open.
#[derive(Debug)]
pub(crate) enum Overlay {
    Help(Help),
    Palette(Palette),
}

impl Overlay {
    pub(crate) fn press(&mut self, shared: &Shared, key: &KeyEvent) -> Outcome {
        match self {
            Self::Help(help) => help.press(shared, key),
            Self::Palette(palette) => palette.press(key),
        }
    }

    pub(crate) fn paste(&mut self, text: &str) {
        if let Self::Palette(palette) = self {
            palette.paste(text);
        }
    }

    pub(crate) fn draw(&self, shared: &Shared, area: Rect, buffer: &mut Buffer) {
        match self {
            Self::Help(help) => help.draw(shared, area, buffer),
            Self::Palette(palette) => palette.draw(shared, area, buffer),
        }
    }
}
