//! Reads the file, with the line of whatever is wrong.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zerver_trace::nearest_name;
use zerver_trace::text::clean;

use super::action_names::ACTIONS;
use super::key_map::UserKeys;
use super::style_names::{STYLES, StyleChange};
use super::{ConfigMistake, ThemeName, UserConfig, key_conflicts, key_names, style_text};
use crate::keys;
use crate::screen::{Tab, all_keys};
use crate::theme::ColorScheme;

/// A file with keys and colors, or one with colors only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Config,
    Theme,
}

/// Names of the themes of zerver.
const THEMES: [(&str, ThemeName); 5] = [
    ("auto", ThemeName::Auto),
    ("dark", ThemeName::Builtin(ColorScheme::Dark)),
    ("light", ThemeName::Builtin(ColorScheme::Light)),
    ("16", ThemeName::Builtin(ColorScheme::Sixteen)),
    ("mono", ThemeName::Builtin(ColorScheme::Mono)),
];

type Entry<'t> = (&'t Spanned<std::borrow::Cow<'t, str>>, &'t Spanned<DeValue<'t>>);

/// Reads a file.
pub(super) fn read(text: &str, kind: FileKind) -> (UserConfig, Vec<ConfigMistake>) {
    let mut reader = Reader { text, mistakes: Vec::new() };
    let mut config = UserConfig::default();
    match DeTable::parse(text) {
        Err(error) => {
            let what = error.message().trim().to_owned();
            reader.mistake(error.span().unwrap_or_default(), what);
        }
        Ok(table) => reader.table(table.get_ref(), kind, &mut config),
    }
    reader.mistakes.sort_by_key(|mistake| mistake.line);
    (config, reader.mistakes)
}

struct Reader<'t> {
    text: &'t str,
    mistakes: Vec<ConfigMistake>,
}

impl Reader<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    fn mistake(&mut self, span: Range<usize>, what: String) {
        let line = self.line(&span);
        self.mistakes.push(ConfigMistake { line, what: clean(&what).into_owned() });
    }

    /// Reports a name that is not one of these.
    fn unknown<'n>(
        &mut self,
        span: Range<usize>,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) {
        let text = match nearest_name(name, known.clone()) {
            Some(near) => format!("there is no {what} {name}; did you mean {near}?"),
            None => format!("there is no {what} {name}; there are {}", known.collect::<Vec<_>>().join(", ")),
        };
        self.mistake(span, text);
    }

    fn table(&mut self, table: &DeTable<'_>, kind: FileKind, config: &mut UserConfig) {
        let mut keys = Vec::new();
        for (name, value) in table {
            match (name.get_ref().as_ref(), value.get_ref(), kind) {
                ("theme", DeValue::String(theme), FileKind::Config) => {
                    config.theme = self.theme(value.span(), theme, kind);
                }
                ("base", DeValue::String(theme), FileKind::Theme) => {
                    config.theme = self.theme(value.span(), theme, kind);
                }
                ("colors", DeValue::Table(colors), _) => self.colors(colors, config),
                ("keys", DeValue::Table(table), FileKind::Config) => self.keys(table, &mut keys),
                ("theme", _, FileKind::Config) | ("base", _, FileKind::Theme) => {
                    self.mistake(
                        value.span(),
                        format!("{} must be a text, such as \"dark\"", name.get_ref()),
                    );
                }
                ("colors" | "keys", ..) if kind == FileKind::Config || name.get_ref() == "colors" => {
                    self.mistake(value.span(), format!("{0} must be a section: [{0}]", name.get_ref()));
                }
                (other, ..) => {
                    let known = match kind {
                        FileKind::Config => &["theme", "colors", "keys"][..],
                        FileKind::Theme => &["base", "colors"],
                    };
                    self.unknown(name.span(), "setting", other, known.iter().copied());
                }
            }
        }
        config.keys = key_conflicts::checked(keys, &mut self.mistakes);
    }

    fn theme(&mut self, span: Range<usize>, name: &str, kind: FileKind) -> Option<ThemeName> {
        if let Some((_, theme)) = THEMES.iter().find(|(known, _)| *known == name) {
            return Some(theme.clone());
        }
        // A theme changes one of zerver, so that themes form no chain.
        let is_file = !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !name.starts_with('.');
        if kind == FileKind::Config && is_file {
            return Some(ThemeName::File(name.to_owned()));
        }
        self.unknown(span, "theme", name, THEMES.iter().map(|(known, _)| *known));
        None
    }

    fn colors(&mut self, colors: &DeTable<'_>, config: &mut UserConfig) {
        for (name, value) in colors {
            let Some((_, of, _)) = STYLES.iter().find(|(known, ..)| known == name.get_ref()) else {
                self.unknown(name.span(), "color", name.get_ref(), STYLES.iter().map(|(known, ..)| *known));
                continue;
            };
            match value.get_ref() {
                DeValue::String(text) => match style_text::parse(text) {
                    Ok(style) => config.styles.push(StyleChange { of: *of, style }),
                    Err(what) => self.mistake(value.span(), what),
                },
                _ => {
                    self.mistake(value.span(), "a color must be a text, such as \"#ff7a85 bold\"".to_owned())
                }
            }
        }
    }

    fn keys(&mut self, table: &DeTable<'_>, keys: &mut Vec<UserKeys>) {
        for (name, value) in table {
            let tab = Tab::ALL.into_iter().find(|tab| tab.name() == name.get_ref());
            match (tab, value.get_ref()) {
                (Some(tab), DeValue::Table(of_screen)) => {
                    for entry in of_screen {
                        self.key(Some(tab), entry, keys);
                    }
                }
                (None, DeValue::Table(_)) => {
                    self.unknown(name.span(), "screen", name.get_ref(), Tab::ALL.into_iter().map(Tab::name));
                }
                _ => self.key(None, (name, value), keys),
            }
        }
    }

    fn key(&mut self, tab: Option<Tab>, (name, value): Entry<'_>, keys: &mut Vec<UserKeys>) {
        let Some((_, action)) = ACTIONS.iter().find(|(known, _)| known == name.get_ref()) else {
            return self.unknown(
                name.span(),
                "action",
                name.get_ref(),
                ACTIONS.iter().map(|(known, _)| *known),
            );
        };
        if let Some(tab) = tab {
            let mut bindings = all_keys(tab).into_iter().chain([keys::EVERYWHERE]).flatten();
            if bindings.all(|binding| binding.action != *action) {
                let what = format!("the screen {} has no action {}", tab.name(), name.get_ref());
                return self.mistake(name.span(), what);
            }
        }
        let words = match value.get_ref() {
            DeValue::String(_) => vec![value],
            DeValue::Array(words) => words.iter().collect(),
            _ => Vec::from([value]),
        };
        let mut presses = Vec::new();
        for word in words {
            let pressed = match word.get_ref() {
                DeValue::String(text) => key_names::parse(text),
                _ => Err("keys must be texts: \"j\", or [\"j\", \"down\"]".to_owned()),
            };
            match pressed {
                Ok(press) => presses.push(press),
                // Without it, the action would have fewer keys than by default.
                Err(what) => return self.mistake(word.span(), what),
            }
        }
        let line = self.line(&name.span());
        keys.push(UserKeys { tab, action: *action, presses, line });
    }
}
