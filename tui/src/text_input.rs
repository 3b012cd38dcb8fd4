//! Single-line text input.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::draw::Pen;
use crate::theme::Theme;

/// Maximum number of characters.
const MAX_LEN: usize = 500;

/// Text with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TextInput {
    chars: Vec<char>,
    cursor: usize,
    /// True if the text is shown as asterisks.
    is_secret: bool,
}

impl TextInput {
    pub(crate) fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().take(MAX_LEN).collect();
        Self { cursor: chars.len(), chars, is_secret: false }
    }

    /// Creates an input for a secret.
    pub(crate) fn secret() -> Self {
        Self { is_secret: true, ..Self::default() }
    }

    pub(crate) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// Inserts pasted text; control characters become blanks.
    pub(crate) fn paste(&mut self, text: &str) {
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).for_each(|c| self.insert(c));
    }

    fn insert(&mut self, c: char) {
        if self.chars.len() < MAX_LEN {
            self.chars.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    /// Handles a key. Returns false if the key does not edit text.
    pub(crate) fn press(&mut self, key: &KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, control) {
            (KeyCode::Char('a'), true) | (KeyCode::Home, _) => self.cursor = 0,
            (KeyCode::Char('e'), true) | (KeyCode::End, _) => self.cursor = self.chars.len(),
            (KeyCode::Char('u'), true) => drop(self.chars.drain(..std::mem::take(&mut self.cursor))),
            (KeyCode::Char('k'), true) => self.chars.truncate(self.cursor),
            (KeyCode::Char('w'), true) => {
                let before = &self.chars[..self.cursor];
                let word = before.iter().rposition(|c| *c != ' ').unwrap_or(0);
                let start = before[..word].iter().rposition(|c| *c == ' ').map_or(0, |at| at + 1);
                self.chars.drain(start..self.cursor);
                self.cursor = start;
            }
            (KeyCode::Char(c), false) if !key.modifiers.contains(KeyModifiers::ALT) && !c.is_control() => {
                self.insert(c);
            }
            (KeyCode::Backspace, _) | (KeyCode::Char('h'), true) => {
                if self.cursor > 0 {
                    self.cursor -= 1;
                    self.chars.remove(self.cursor);
                }
            }
            (KeyCode::Delete, _) => {
                drop(self.chars.drain(self.cursor..self.chars.len().min(self.cursor + 1)))
            }
            (KeyCode::Left, _) => self.cursor = self.cursor.saturating_sub(1),
            (KeyCode::Right, _) => self.cursor = (self.cursor + 1).min(self.chars.len()),
            _ => return false,
        }
        true
    }

    /// Draws the text with its cursor, which is always visible.
    pub(crate) fn draw(&self, pen: &mut Pen<'_>, theme: &Theme) {
        let shown = |c: &char| match self.is_secret {
            true => "*".to_owned(),
            false => zerver_trace::text::clean(c.encode_utf8(&mut [0; 4])).into_owned(),
        };
        let room = pen.room().saturating_sub(1);
        let text = |range: &[char]| range.iter().map(shown).collect::<String>();
        let mut start = self.cursor;
        while start > 0 && crate::draw::width(&text(&self.chars[start - 1..self.cursor])) <= room {
            start -= 1;
        }
        let at = self.chars.get(self.cursor).map_or_else(|| " ".to_owned(), shown);
        let cursor = theme.text.add_modifier(ratatui::style::Modifier::REVERSED);
        pen.put(&text(&self.chars[start..self.cursor]), theme.text).put(&at, cursor);
        pen.put(&text(self.chars.get(self.cursor + 1..).unwrap_or_default()), theme.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_edit_the_text() {
        let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
        let ctrl = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        for (start, key, text, cursor) in [
            ("ab", plain(KeyCode::Char('漢')), "ab漢", 3),
            ("ab", plain(KeyCode::Backspace), "a", 1),
            ("", plain(KeyCode::Backspace), "", 0),
            ("ab", plain(KeyCode::Left), "ab", 1),
            ("ab", plain(KeyCode::Right), "ab", 2),
            ("ab", ctrl('a'), "ab", 0),
            ("ab cd ", ctrl('w'), "ab ", 3),
            ("ab", ctrl('w'), "", 0),
            ("", ctrl('w'), "", 0),
            ("ab", ctrl('u'), "", 0),
            ("ab", ctrl('k'), "ab", 2),
            ("ab", plain(KeyCode::Delete), "ab", 2),
        ] {
            let mut prompt = TextInput::new(start);
            assert!(prompt.press(&key));
            assert_eq!((prompt.text().as_str(), prompt.cursor), (text, cursor), "{start:?} {key:?}");
        }
        assert!(!TextInput::default().press(&plain(KeyCode::Enter)));
        let mut pasted = TextInput::default();
        pasted.paste("a\nb\u{1b}");
        assert_eq!(pasted.text(), "a b ");
    }
}
