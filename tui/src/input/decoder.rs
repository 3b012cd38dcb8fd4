//! Decodes the bytes of a terminal into keys, mouse events and pastes.
//!
//! The grammar is that of ECMA-48: a control sequence ends with a final byte, and an OSC, DCS, APC, PM or SOS string
//! with a terminator. Sequences are therefore consumed as a whole, even if they arrive in pieces or are not keys:
//! replies of the terminal (device attributes, cursor position, modes, colors) are dropped. An unfinished sequence,
//! such as after a real Alt+], is dropped after [`SEQUENCE_TIMEOUT`].

use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::control_sequence as csi;

/// Time after which a lone escape byte is the Escape key; the rest of a sequence would have arrived by then.
const LONE_ESCAPE_TIMEOUT: Duration = Duration::from_millis(30);
/// Time after which an unfinished sequence is dropped.
const SEQUENCE_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum length of the parameters of a key, in bytes.
const MAX_PARAMETERS: usize = 64;
/// Maximum size of a paste, in bytes; the rest is dropped.
const MAX_PASTE: usize = 1 << 20;
const PASTE_END: &[u8] = b"\x1b[201~";

const ESCAPE: u8 = 0x1b;
/// Bytes that start a string after an escape: OSC, DCS, SOS, PM, APC.
const STRINGS: &[u8] = b"]PX^_";

/// Decoder, with the sequence read so far.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
    /// Start of the current sequence; for a paste, arrival of its last part.
    started_at: Option<Instant>,
    events: Vec<Event>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After an escape.
    Escape,
    /// After `ESC [`: parameters and intermediate bytes.
    Csi(Vec<u8>),
    /// After `ESC [ [`: a function key of the Linux console.
    Console,
    /// After `ESC O`.
    Ss3,
    /// After `ESC [ M`: three bytes of a mouse event.
    Mouse(Vec<u8>),
    /// Inside a string.
    Text,
    /// After an escape inside a string.
    TextEscape,
    /// First bytes of a UTF-8 character, and whether Alt was held.
    Character(Vec<u8>, bool),
    Paste(Vec<u8>),
}

impl Decoder {
    /// Decodes bytes that were just read.
    pub(super) fn feed(&mut self, bytes: &[u8], now: Instant) {
        self.expire(now);
        let begins = |byte: &u8| *byte == b'[' || *byte == b'O' || STRINGS.contains(byte);
        if self.state == State::Escape && bytes.first().is_some_and(|byte| !begins(byte)) {
            // A key with Alt arrives in one piece, so this was the Escape key, followed by another key.
            self.state = State::Ground;
            self.key(KeyCode::Esc, KeyModifiers::NONE);
        }
        for byte in bytes {
            let was_ground = self.state == State::Ground;
            self.byte(*byte, now);
            match self.state {
                State::Ground => self.started_at = None,
                State::Paste(_) => self.started_at = Some(now),
                _ if was_ground => self.started_at = Some(now),
                _ => {}
            }
        }
    }

    /// Ends a sequence that has timed out.
    pub(super) fn expire(&mut self, now: Instant) {
        let Some(timeout) = self.timeout() else { return };
        if self.started_at.is_none_or(|started_at| now.saturating_duration_since(started_at) < timeout) {
            return;
        }
        match std::mem::take(&mut self.state) {
            State::Escape => self.key(KeyCode::Esc, KeyModifiers::NONE),
            State::Paste(bytes) => self.pasted(&bytes),
            _ => {}
        }
        self.started_at = None;
    }

    /// Returns how long the current sequence may still last without further bytes, or `None` if there is none.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Escape => Some(LONE_ESCAPE_TIMEOUT),
            _ => Some(SEQUENCE_TIMEOUT),
        }
    }

    /// Takes the decoded events, in order.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn byte(&mut self, byte: u8, now: Instant) {
        match std::mem::take(&mut self.state) {
            State::Ground => self.ground(byte, false),
            State::Escape => self.escape(byte, now),
            State::Csi(parameters) => self.csi(parameters, byte, now),
            State::Console => {
                if let n @ b'A'..=b'E' = byte {
                    self.key(KeyCode::F(n - b'A' + 1), KeyModifiers::NONE);
                }
            }
            State::Ss3 => match csi::letter(byte) {
                Some(code) => self.key(code, KeyModifiers::NONE),
                None if byte == ESCAPE => self.begin_escape(now),
                None => {}
            },
            State::Mouse(mut bytes) => {
                bytes.push(byte);
                match bytes[..] {
                    [button, column, row] => {
                        let at = |byte: u8| u16::from(byte.saturating_sub(32));
                        self.events.extend(csi::mouse(at(button), at(column), at(row)));
                    }
                    _ => self.state = State::Mouse(bytes),
                }
            }
            State::Text => match byte {
                ESCAPE => self.state = State::TextEscape,
                // BEL ends an OSC string; CAN and SUB end anything.
                0x07 | 0x18 | 0x1a => {}
                // Strings contain no other control characters: this was a key with Alt, followed by another key.
                0x00..0x20 => self.ground(byte, false),
                _ => self.state = State::Text,
            },
            State::TextEscape if byte == b'\\' => {}
            // The string was cut off by another sequence.
            State::TextEscape => {
                self.begin_escape(now);
                self.byte(byte, now);
            }
            State::Character(bytes, is_alt) => self.character(bytes, byte, is_alt),
            State::Paste(mut bytes) => {
                bytes.push(byte);
                if bytes.ends_with(PASTE_END) {
                    bytes.truncate((bytes.len() - PASTE_END.len()).min(MAX_PASTE));
                    self.pasted(&bytes);
                } else {
                    if bytes.len() > MAX_PASTE + PASTE_END.len() {
                        bytes.remove(MAX_PASTE);
                    }
                    self.state = State::Paste(bytes);
                }
            }
        }
    }

    fn begin_escape(&mut self, now: Instant) {
        self.state = State::Escape;
        self.started_at = Some(now);
    }

    fn escape(&mut self, byte: u8, now: Instant) {
        match byte {
            b'[' => self.state = State::Csi(Vec::new()),
            b'O' => self.state = State::Ss3,
            byte if STRINGS.contains(&byte) => self.state = State::Text,
            ESCAPE => {
                self.key(KeyCode::Esc, KeyModifiers::NONE);
                self.begin_escape(now);
            }
            byte => self.ground(byte, true),
        }
    }

    fn ground(&mut self, byte: u8, is_alt: bool) {
        let alt = if is_alt { KeyModifiers::ALT } else { KeyModifiers::NONE };
        let control = |c: u8| (KeyCode::Char(char::from(c)), alt | KeyModifiers::CONTROL);
        let (code, modifiers) = match byte {
            ESCAPE => {
                self.state = State::Escape;
                return;
            }
            b'\r' => (KeyCode::Enter, alt),
            b'\t' => (KeyCode::Tab, alt),
            0x7f => (KeyCode::Backspace, alt),
            0x00 => control(b' '),
            0x01..=0x1a => control(byte - 1 + b'a'),
            0x1c..=0x1f => control(byte - 0x1c + b'4'),
            b' '..=b'~' => {
                let shift = if byte.is_ascii_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
                (KeyCode::Char(char::from(byte)), alt | shift)
            }
            0x80.. => return self.character(Vec::new(), byte, is_alt),
        };
        self.key(code, modifiers);
    }

    /// Collects the bytes of a character; invalid ones are dropped.
    fn character(&mut self, mut bytes: Vec<u8>, byte: u8, is_alt: bool) {
        if !bytes.is_empty() && !(0x80..0xc0).contains(&byte) {
            // The character was cut off.
            return self.ground(byte, false);
        }
        bytes.push(byte);
        match std::str::from_utf8(&bytes) {
            Ok(text) => {
                let c = text.chars().next().filter(|c| !c.is_control());
                let alt = if is_alt { KeyModifiers::ALT } else { KeyModifiers::NONE };
                if let Some(c) = c {
                    let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
                    self.key(KeyCode::Char(c), alt | shift);
                }
            }
            Err(error) if error.error_len().is_none() => self.state = State::Character(bytes, is_alt),
            Err(_) => {}
        }
    }

    fn csi(&mut self, mut parameters: Vec<u8>, byte: u8, now: Instant) {
        match byte {
            b'[' if parameters.is_empty() => self.state = State::Console,
            b'M' if parameters.is_empty() => self.state = State::Mouse(Vec::new()),
            b'~' if parameters == b"200" => self.state = State::Paste(Vec::new()),
            b' '..=b'?' => {
                if parameters.len() < MAX_PARAMETERS {
                    parameters.push(byte);
                }
                self.state = State::Csi(parameters);
            }
            b'@'..=b'~' => self.events.extend(csi::event(&parameters, byte)),
            ESCAPE => self.begin_escape(now),
            // This was a key with Alt, followed by another key.
            0x00..0x20 => self.ground(byte, false),
            _ => {}
        }
    }

    fn pasted(&mut self, bytes: &[u8]) {
        self.events.push(Event::Paste(String::from_utf8_lossy(bytes).into_owned()));
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.events.push(Event::Key(KeyEvent::new(code, modifiers)));
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
