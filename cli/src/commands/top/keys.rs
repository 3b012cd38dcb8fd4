//! Keys of `zerver top`. The terminal is put into a mode in which keys arrive at once, and back at the end.

use std::io::{self, IsTerminal, Read};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::CommandError;

/// Action of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopKey {
    Quit,
    NextOrder,
    Scroll(Scroll),
}

/// Movement of the visible part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scroll {
    Down,
    Up,
    PageDown,
    PageUp,
    Top,
    Bottom,
}

/// Keys from the terminal, and signals as the key that quits.
pub(super) struct TopKeys {
    pub(super) keys: Receiver<TopKey>,
    /// Modes of the terminal before; `None` if standard input is not a terminal.
    before: Option<Termios>,
}

impl TopKeys {
    pub(super) fn open() -> Result<Self, CommandError> {
        let (sender, keys) = channel();
        // Before the terminal changes, so that no signal leaves it as it must not stay.
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| CommandError::new("cannot listen for signals").caused_by(&error))?;
        let on_signal = sender.clone();
        thread::spawn(move || {
            signals.forever().next();
            // The receiver is gone if the user has quit.
            let _ = on_signal.send(TopKey::Quit);
        });
        let before = if io::stdin().is_terminal() { without_lines() } else { None };
        if before.is_some() {
            thread::spawn(move || {
                let mut input = [0; 64];
                while let Ok(read @ 1..) = io::stdin().read(&mut input) {
                    for key in keys_of(&input[..read]) {
                        let _ = sender.send(key);
                    }
                }
            });
        }
        Ok(Self { keys, before })
    }
}

impl Drop for TopKeys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // An error could not be shown any more.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}

/// Turns off the editing of lines. Returns the modes before, or `None` if they cannot be changed.
fn without_lines() -> Option<Termios> {
    let before = tcgetattr(io::stdin()).ok()?;
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Now, &modes).ok()?;
    Some(before)
}

/// Sequences that terminals send for keys without a character.
const SEQUENCES: [(&[u8], Scroll); 12] = [
    (b"\x1b[A", Scroll::Up),
    (b"\x1bOA", Scroll::Up),
    (b"\x1b[B", Scroll::Down),
    (b"\x1bOB", Scroll::Down),
    (b"\x1b[5~", Scroll::PageUp),
    (b"\x1b[6~", Scroll::PageDown),
    (b"\x1b[H", Scroll::Top),
    (b"\x1b[1~", Scroll::Top),
    (b"\x1bOH", Scroll::Top),
    (b"\x1b[F", Scroll::Bottom),
    (b"\x1b[4~", Scroll::Bottom),
    (b"\x1bOF", Scroll::Bottom),
];

/// Returns the keys that have a meaning. A terminal sends the sequence of a key at once, so that the byte of the escape key
/// by itself is that key.
fn keys_of(mut input: &[u8]) -> Vec<TopKey> {
    let mut keys = Vec::new();
    while let Some((first, rest)) = input.split_first() {
        if let Some((sequence, scroll)) = SEQUENCES.iter().find(|(sequence, _)| input.starts_with(sequence)) {
            keys.push(TopKey::Scroll(*scroll));
            input = &input[sequence.len()..];
            continue;
        }
        match (first, rest) {
            (0x1b, [b'[' | b'O', unknown @ ..]) => {
                // It ends with the first byte that is neither a digit nor a separator.
                let end = unknown.iter().position(|byte| (0x40..=0x7e).contains(byte));
                input = end.map_or(&[], |end| &unknown[end + 1..]);
                continue;
            }
            (b'q' | b'Q' | 0x1b | 0x04, _) => keys.push(TopKey::Quit),
            (b's', _) => keys.push(TopKey::NextOrder),
            (b'j', _) => keys.push(TopKey::Scroll(Scroll::Down)),
            (b'k', _) => keys.push(TopKey::Scroll(Scroll::Up)),
            (b' ' | 0x06, _) => keys.push(TopKey::Scroll(Scroll::PageDown)),
            (b'b' | 0x02, _) => keys.push(TopKey::Scroll(Scroll::PageUp)),
            (b'g', _) => keys.push(TopKey::Scroll(Scroll::Top)),
            (b'G', _) => keys.push(TopKey::Scroll(Scroll::Bottom)),
            _ => {}
        }
        input = rest;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_keys() {
        use TopKey::{NextOrder, Quit};
        let scroll = TopKey::Scroll;
        assert_eq!(keys_of(b"sxq"), [NextOrder, Quit]);
        assert_eq!(keys_of(b"\x1b"), [Quit]);
        assert_eq!(
            keys_of(b"\x1b[A\x1b[Bj"),
            [scroll(Scroll::Up), scroll(Scroll::Down), scroll(Scroll::Down)]
        );
        assert_eq!(keys_of(b"\x1b[6~\x1b[1;5Cg"), [scroll(Scroll::PageDown), scroll(Scroll::Top)]);
        assert_eq!(keys_of(b"\x1b["), []);
        assert_eq!(keys_of(b""), []);
    }
}
