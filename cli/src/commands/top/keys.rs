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

/// Returns the keys that have a meaning. Arrows and the like begin with the byte of the escape key.
fn keys_of(input: &[u8]) -> Vec<TopKey> {
    if input.len() > 1 && input[0] == 0x1b {
        return Vec::new();
    }
    let key = |byte: &u8| match byte {
        b'q' | b'Q' | 0x1b | 0x04 => Some(TopKey::Quit),
        b's' => Some(TopKey::NextOrder),
        _ => None,
    };
    input.iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_keys() {
        assert_eq!(keys_of(b"sxq"), [TopKey::NextOrder, TopKey::Quit]);
        assert_eq!(keys_of(b"\x1b"), [TopKey::Quit]);
        assert_eq!(keys_of(b"\x1b[A"), []);
        assert_eq!(keys_of(b""), []);
    }
}
