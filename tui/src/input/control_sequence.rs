//! Control sequences for keys and mouse events. All others are replies of the terminal.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

/// Decodes a control sequence with this final byte; `None` if it is not input.
pub(super) fn event(parameters: &[u8], last: u8) -> Option<Event> {
    if let Some(rest) = parameters.strip_prefix(b"<") {
        let [button, column, row] = numbers(rest)?[..] else { return None };
        let mut event = mouse(button, column, row)?;
        if let (b'm', Event::Mouse(MouseEvent { kind, .. })) = (last, &mut event)
            && let MouseEventKind::Down(button) = *kind
        {
            *kind = MouseEventKind::Up(button);
        }
        return matches!(last, b'M' | b'm').then_some(event);
    }
    // Other private parameters and intermediate bytes belong to replies.
    let all = numbers(parameters)?;
    let first = all.first().copied().unwrap_or(0);
    let (held, kind) = modifiers(parameters);
    let key = |code| Some(Event::Key(KeyEvent::new_with_kind(code, held, kind)));
    match last {
        // `R` is excluded: a cursor position report looks like F3 with a modifier.
        b'A'..=b'D' | b'F' | b'H' | b'P' | b'Q' | b'S' if all.len() <= 2 => key(letter(last)?),
        b'Z' => Some(Event::Key(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT))),
        b'I' if parameters.is_empty() => Some(Event::FocusGained),
        b'O' if parameters.is_empty() => Some(Event::FocusLost),
        b'M' => match all[..] {
            [button, column, row] => mouse(button.checked_sub(32)?, column, row),
            _ => None,
        },
        b'~' => match (first, &all[..]) {
            (27, [_, _, code]) => key(character(*code)?),
            _ => key(numbered(first)?),
        },
        b'u' => key(character(first)?),
        _ => None,
    }
}

/// Returns the key for a final byte after `ESC O` or `ESC [`.
pub(super) const fn letter(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        _ => return None,
    })
}

/// Returns the key for `ESC [ N ~`.
const fn numbered(n: u16) -> Option<KeyCode> {
    Some(match n {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(n as u8 - 10),
        17..=21 => KeyCode::F(n as u8 - 11),
        23..=26 => KeyCode::F(n as u8 - 12),
        28..=29 => KeyCode::F(n as u8 - 13),
        31..=34 => KeyCode::F(n as u8 - 14),
        _ => return None,
    })
}

/// Returns the key for a code point, as sent by terminals that report all keys unambiguously.
fn character(code: u16) -> Option<KeyCode> {
    Some(match code {
        9 => KeyCode::Tab,
        13 => KeyCode::Enter,
        27 => KeyCode::Esc,
        127 => KeyCode::Backspace,
        code => KeyCode::Char(char::from_u32(code.into()).filter(|c| !c.is_control())?),
    })
}

/// Decodes a mouse event from its raw button and one-based position.
pub(super) fn mouse(buttons: u16, column: u16, row: u16) -> Option<Event> {
    let button = match buttons & 0b11 {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let is_moving = buttons & 0x20 != 0;
    let kind = match (buttons >> 6, button) {
        (0, Some(button)) if is_moving => MouseEventKind::Drag(button),
        (0, Some(button)) => MouseEventKind::Down(button),
        (0, None) if is_moving => MouseEventKind::Moved,
        // Some encodings do not report which button was released.
        (0, None) => MouseEventKind::Up(MouseButton::Left),
        (1, _) if is_moving => MouseEventKind::Moved,
        (1, Some(MouseButton::Left)) => MouseEventKind::ScrollUp,
        (1, Some(MouseButton::Middle)) => MouseEventKind::ScrollDown,
        (1, Some(MouseButton::Right)) => MouseEventKind::ScrollLeft,
        (1, None) => MouseEventKind::ScrollRight,
        _ => return None,
    };
    let mut held = KeyModifiers::NONE;
    for (bit, modifier) in [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)] {
        held.set(modifier, buttons & bit != 0);
    }
    let (column, row) = (column.checked_sub(1)?, row.checked_sub(1)?);
    Some(Event::Mouse(MouseEvent { kind, column, row, modifiers: held }))
}

/// Parses the parameters; of sub-parameters, only the first. `None` if there is anything else.
fn numbers(parameters: &[u8]) -> Option<Vec<u16>> {
    if parameters.is_empty() {
        return Some(Vec::new());
    }
    let text = std::str::from_utf8(parameters).ok()?;
    let number = |part: &str| {
        let first = part.split(':').next().unwrap_or_default();
        if first.is_empty() { Some(0) } else { first.parse().ok() }
    };
    text.split(';').map(number).collect()
}

/// Returns the modifiers, and whether the key was pressed, repeated or released, from the second parameter.
fn modifiers(parameters: &[u8]) -> (KeyModifiers, KeyEventKind) {
    let second = parameters.split(|byte| *byte == b';').nth(1).unwrap_or_default();
    let mut parts = std::str::from_utf8(second).unwrap_or_default().split(':');
    let mut next = || parts.next().and_then(|part| part.parse::<u16>().ok()).unwrap_or(1);
    let (mask, kind) = (next().saturating_sub(1), next());
    let mut held = KeyModifiers::NONE;
    for (bit, modifier) in [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::SUPER),
        (16, KeyModifiers::HYPER),
        (32, KeyModifiers::META),
    ] {
        held.set(modifier, mask & bit != 0);
    }
    let kind = match kind {
        2 => KeyEventKind::Repeat,
        3 => KeyEventKind::Release,
        _ => KeyEventKind::Press,
    };
    (held, kind)
}
