//! Names of keys, as the help writes them and as users may: `j`, `ctrl-d`, `^d`, `space`, `f1`.

use crossterm::event::KeyCode;
use zerver_trace::nearest_name;

use crate::keys::{KeyPress, ctrl, key, named};

const NAMED: &[(&str, KeyCode)] = &[
    ("space", KeyCode::Char(' ')),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
];

/// Keys that terminals send as another key.
const SAME: [(char, &str); 4] = [('i', "tab"), ('m', "enter"), ('[', "esc"), ('h', "backspace")];

/// Reads the name of a key.
///
/// # Errors
/// With what is wrong, and a similar name if there is one.
pub(super) fn parse(text: &str) -> Result<KeyPress, String> {
    let mut letters = text.chars();
    if let (Some(only), None) = (letters.next(), letters.next()) {
        return match only {
            ' ' => Ok(named(KeyCode::Char(' '))),
            c if c.is_control() => Err("a control character is no name of a key".to_owned()),
            c => Ok(key(c)),
        };
    }
    let lower = text.to_lowercase();
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == lower) {
        return Ok(named(*code));
    }
    if let Some(n) = lower.strip_prefix('f').and_then(|n| n.parse().ok()).filter(|n| (1..=12).contains(n)) {
        return Ok(named(KeyCode::F(n)));
    }
    if let Some(rest) = lower.strip_prefix("ctrl-").or_else(|| lower.strip_prefix('^')) {
        let mut letters = rest.chars();
        return match (letters.next(), letters.next()) {
            (Some(c), None) => match SAME.iter().find(|(same, _)| *same == c) {
                Some((_, other)) => Err(format!("terminals send {text} as {other}")),
                None if c.is_ascii_lowercase() => Ok(ctrl(c)),
                None => Err(format!("{text} is no key: ctrl goes with a letter")),
            },
            _ => Err(format!("{text} is no key: ctrl goes with a letter")),
        };
    }
    if lower.starts_with("alt-") || lower.starts_with("shift-") {
        return Err(format!("{text} is no key: write G for shift-g; alt is not available"));
    }
    let names = NAMED.iter().map(|(name, _)| *name);
    Err(match nearest_name(&lower, names) {
        Some(near) => format!("{text} is no key; did you mean {near}?"),
        None => format!(
            "{text} is no key; write a character, ctrl-d, f1, or one of space, enter, esc, tab, up, .."
        ),
    })
}

/// Returns a name that [`parse`] reads as the key.
pub(super) fn written(press: KeyPress) -> String {
    match press.name().strip_prefix('^') {
        Some(letter) if !letter.is_empty() => format!("ctrl-{letter}"),
        _ => press.name(),
    }
}
