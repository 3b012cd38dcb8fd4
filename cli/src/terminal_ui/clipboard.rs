//! Copies text to the clipboard. OSC 52 asks the terminal to take it, but a terminal never confirms, and many ignore it. tmux
//! has a command that confirms. If the outcome is unknown, the text is also written to a file.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zerver_tui::CopyOutcome;

use crate::service::process::spawn_lock;

/// Maximum length of a text for OSC 52, in bytes: 100,000 bytes in base64, beyond which terminals drop or truncate it.
const MAX_OSC52: usize = 74_994;
/// Maximum time for tmux.
const TMUX_TIMEOUT: Duration = Duration::from_secs(2);
/// Length of the pieces for GNU screen, in bytes. It accepts strings of at most 768 bytes.
const SCREEN_PIECE: usize = 76;

/// Terminal multiplexer between us and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Multiplexer {
    None,
    Tmux,
    Screen,
}

impl Multiplexer {
    fn detect(has_var: impl Fn(&str) -> bool) -> Self {
        match (has_var("TMUX"), has_var("STY")) {
            (true, _) => Self::Tmux,
            (false, true) => Self::Screen,
            (false, false) => Self::None,
        }
    }

    /// Returns the sequence that asks the terminal to take a text.
    fn sequence(self, text: &str) -> String {
        let text = STANDARD.encode(text);
        match self {
            Self::None => format!("\x1b]52;c;{text}\x07"),
            // Passed through to the outer terminal, with each escape doubled.
            Self::Tmux => format!("\x1bPtmux;\x1b\x1b]52;c;{text}\x07\x1b\\"),
            // The same in pieces, each a separate string.
            Self::Screen => {
                let mut out = String::from("\x1bP\x1b]52;c;");
                let mut rest = text.as_str();
                while let Some((piece, more)) = rest.split_at_checked(SCREEN_PIECE) {
                    out += piece;
                    out += "\x1b\\\x1bP";
                    rest = more;
                }
                out + rest + "\x07\x1b\\"
            }
        }
    }
}

pub(super) fn copy(text: &str) -> CopyOutcome {
    let multiplexer = Multiplexer::detect(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    if multiplexer == Multiplexer::Tmux && load_buffer(text) {
        return CopyOutcome::Copied("tmux's paste buffer".to_owned());
    }
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let written = write(text, runtime.as_deref(), &env::temp_dir()).map(|path| crate::paths::display(&path));
    let is_too_large = text.len() > MAX_OSC52;
    match written {
        Ok(file) if is_too_large => {
            CopyOutcome::FileOnly { file, why: format!("too large for a terminal ({} bytes)", text.len()) }
        }
        Err(error) if is_too_large => CopyOutcome::Failed(format!(
            "too large for a terminal ({} bytes), and cannot write a file: {error}",
            text.len()
        )),
        written => CopyOutcome::TerminalRequest { sequence: multiplexer.sequence(text), file: written.ok() },
    }
}

/// Loads the text into a buffer of tmux, which forwards it to its terminals if it may. Returns true if it is there.
fn load_buffer(text: &str) -> bool {
    // tmux before 3.2 has no -w.
    [&["load-buffer", "-w", "-"][..], &["load-buffer", "-"]].iter().any(|arguments| {
        let mut command = Command::new("tmux");
        command.args(*arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = {
            let _lock = spawn_lock();
            command.spawn()
        };
        started.is_ok_and(|child| feed(child, text.to_owned()))
    })
}

/// Writes a text to a program. Returns true if the program succeeds.
fn feed(mut child: Child, text: String) -> bool {
    // On another thread: a program that does not read would block us.
    if let Some(mut stdin) = child.stdin.take() {
        thread::spawn(move || stdin.write_all(text.as_bytes()));
    }
    let until = Instant::now() + TMUX_TIMEOUT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

/// Writes the text to a file that only the user can read, and replaces the last one.
fn write(text: &str, runtime: Option<&Path>, temporary: &Path) -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let places = runtime.map(|dir| dir.join("zerver-copied.txt"));
    let places = places.into_iter().chain([temporary.join(format!("zerver-copied-{user}.txt"))]);
    let mut last = io::Error::other("no folder to write to");
    for place in places {
        match replace(text, &place) {
            Ok(()) => return Ok(place),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Moves a new file over the old one, without following links.
fn replace(text: &str, place: &Path) -> io::Result<()> {
    let dir = place.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".zerver-").tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.persist(place).map(|_: File| ()).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    /// Returns what the terminal receives after tmux or screen has unwrapped the strings.
    fn received(multiplexer: Multiplexer, text: &str) -> String {
        let sequence = multiplexer.sequence(text);
        match multiplexer {
            Multiplexer::None => sequence,
            Multiplexer::Tmux => {
                let inner = sequence.strip_prefix("\x1bPtmux;").unwrap().strip_suffix("\x1b\\").unwrap();
                inner.replace("\x1b\x1b", "\x1b")
            }
            Multiplexer::Screen => {
                let pieces = sequence.strip_prefix("\x1bP").unwrap().strip_suffix("\x1b\\").unwrap();
                let pieces: Vec<&str> = pieces.split("\x1b\\\x1bP").collect();
                assert!(pieces.iter().all(|piece| piece.len() < 768), "{pieces:?}");
                pieces.concat()
            }
        }
    }

    #[test]
    fn the_sequence_suits_the_multiplexer() {
        let detect = |vars: &[&str]| Multiplexer::detect(|name| vars.contains(&name));
        assert_eq!(detect(&[]), Multiplexer::None);
        assert_eq!(detect(&["TMUX"]), Multiplexer::Tmux);
        assert_eq!(detect(&["TMUX", "STY"]), Multiplexer::Tmux);
        assert_eq!(detect(&["STY"]), Multiplexer::Screen);
        for text in ["", "a", "curl 'ü'", &"x".repeat(76), &"y".repeat(1000)] {
            let wanted = format!("\x1b]52;c;{}\x07", STANDARD.encode(text));
            for multiplexer in [Multiplexer::None, Multiplexer::Tmux, Multiplexer::Screen] {
                assert_eq!(received(multiplexer, text), wanted, "{multiplexer:?}");
            }
        }
    }

    #[test]
    fn the_file_is_private_and_no_link_is_followed() {
        let (dir, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let victim = dir.path().join("bashrc");
        std::fs::write(&victim, "kept").unwrap();
        symlink(&victim, dir.path().join("zerver-copied.txt")).unwrap();
        for text in ["one", "two"] {
            let path = write(text, Some(dir.path()), temporary.path()).unwrap();
            assert_eq!(path, dir.path().join("zerver-copied.txt"));
            let meta = std::fs::symlink_metadata(&path).unwrap();
            assert!(meta.is_file() && meta.mode() & 0o777 == 0o600);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "kept");
        let elsewhere = write("three", Some(&dir.path().join("none")), temporary.path()).unwrap();
        assert!(elsewhere.starts_with(temporary.path()), "{elsewhere:?}");
        assert!(write("four", None, &dir.path().join("none")).is_err());
    }

    #[test]
    fn a_copy_succeeds_only_if_the_program_does() {
        let sh = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdin(Stdio::piped());
            feed(command.spawn().unwrap(), "x".repeat(200_000))
        };
        assert!(sh("cat >/dev/null"));
        assert!(!sh("exit 1"));
    }
}
