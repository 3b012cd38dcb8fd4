//! The user's keys and colors, from the text of a file. Whatever is wrong in it is reported and left out; the rest applies.
//!
//! `action_names` and `key_names` are the words of the file, `key_map` applies the keys, `key_conflicts` checks them, `style_names` and `style_text` are
//! about colors, `file` reads the file, and `defaults` writes one. Nothing here opens a file.

mod action_names;
mod defaults;
mod file;
mod key_conflicts;
mod key_map;
mod key_names;
mod style_names;
mod style_text;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use key_map::KeyMap;

use crate::theme::{Appearance, ColorScheme, Theme};
use style_names::StyleChange;

/// Keys and colors that a user has chosen.
#[derive(Debug, Clone, Default)]
pub struct UserConfig {
    pub(crate) keys: KeyMap,
    styles: Vec<StyleChange>,
    /// Name of the theme; `None` if the file names none.
    pub theme: Option<ThemeName>,
    /// Message to show at the start, such as that there are mistakes.
    pub warning: Option<String>,
}

/// Name of a theme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThemeName {
    /// The theme that suits the terminal.
    Auto,
    /// A theme of zerver.
    Builtin(ColorScheme),
    /// A theme in a file of this name.
    File(String),
}

/// A mistake in a file. What it is about is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMistake {
    /// Line, from 1.
    pub line: usize,
    /// The mistake, and what would be right.
    pub what: String,
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl UserConfig {
    /// Reads the text of the file with keys and colors.
    pub fn read(text: &str) -> (Self, Vec<ConfigMistake>) {
        file::read(text, file::FileKind::Config)
    }

    /// Reads the text of a theme: colors, and the theme that they change.
    pub fn read_theme(text: &str) -> (Self, Vec<ConfigMistake>) {
        file::read(text, file::FileKind::Theme)
    }

    /// Puts the colors of a theme below these.
    pub fn over_theme(&mut self, theme: Self) {
        let own = std::mem::replace(&mut self.styles, theme.styles);
        self.styles.extend(own);
    }

    /// Writes a file with everything as it is without one, for this appearance.
    pub fn defaults(appearance: Appearance) -> String {
        defaults::defaults(appearance)
    }

    /// Changes the colors of a theme. One without colors stays without.
    pub(crate) fn color(&self, theme: &mut Theme, colors: ColorScheme) {
        if colors != ColorScheme::Mono {
            self.styles.iter().for_each(|change| change.apply(theme));
        }
    }
}
