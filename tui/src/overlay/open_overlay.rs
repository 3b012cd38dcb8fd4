//! What lies over a screen for a while, and has all keys: the help and the palette.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::command_palette::Palette;
use super::help::Help;
use crate::keys::{Action, Key};
use crate::state::Shared;

/// What is open.
#[derive(Debug)]
pub(crate) enum Overlay {
    Help(Help),
    Palette(Palette),
}

/// What a key did to it.
pub(crate) enum Outcome {
    /// It stays.
    Stay,
    /// It closes.
    Close,
    /// It closes, and this is done.
    Act(Action),
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

/// Tables of keys, each with whose they are.
pub(crate) type Tables = Vec<(&'static str, Vec<&'static [Key]>)>;

/// An area in the middle of another.
pub(super) fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}
