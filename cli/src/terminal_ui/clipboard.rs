//! Copying a text. A terminal can be asked to take it (OSC 52), but never says whether it did, and many do not; tmux takes
//! it by a command that says so. Where the outcome is not known, the text is also in a file.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zerver_tui::Copied;

use crate::service::process::alone;

/// A text that is longer is more than 100,000 bytes as base64, beyond which terminals drop it or cut it.
const MAX_ASKED: usize = 74_994;
/// How long tmux may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// GNU screen takes a string of at most 768 bytes; this is the length that is usual for its pieces.
const SCREEN_PIECE: usize = 76;

/// What lies between us and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    Tmux,
    Screen,
}

impl Between {
    fn of(var: impl Fn(&str) -> bool) -> Self {
        match (var("TMUX"), var("STY")) {
            (true, _) => Self::Tmux,
            (false, true) => Self::Screen,
            (false, false) => Self::Nothing,
        }
    }

    /// What asks the terminal to take a text.
    fn sequence(self, text: &str) -> String {
        let text = STANDARD.encode(text);
        match self {
            Self::Nothing => format!("\x1b]52;c;{text}\x07"),
            // Passed through to the terminal outside, with each escape doubled.
            Self::Tmux => format!("\x1bPtmux;\x1b\x1b]52;c;{text}\x07\x1b\\"),
            // The same in pieces, a string each.
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

pub(super) fn copy(text: &str) -> Copied {
    let between = Between::of(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    if between == Between::Tmux && load_buffer(text) {
        return Copied::Into("tmux's paste buffer".to_owned());
    }
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let written = write(text, runtime.as_deref(), &env::temp_dir()).map(|path| crate::locate::shown(&path));
    let is_too_large = text.len() > MAX_ASKED;
    match written {
        Ok(file) if is_too_large => {
            Copied::Only { file, why: format!("too large for a terminal ({} bytes)", text.len()) }
        }
        Err(error) if is_too_large => {
            Copied::Nowhere(format!("too large for a terminal ({} bytes), and no file: {error}", text.len()))
        }
        written => Copied::Ask { sequence: between.sequence(text), file: written.ok() },
    }
}

/// Puts it into a buffer of tmux, which hands it on to its terminals where it may. Says whether it is there.
fn load_buffer(text: &str) -> bool {
    // Before tmux 3.2 there is no -w.
    [&["load-buffer", "-w", "-"][..], &["load-buffer", "-"]].iter().any(|arguments| {
        let mut command = Command::new("tmux");
        command.args(*arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = {
            let _alone = alone();
            command.spawn()
        };
        started.is_ok_and(|child| feed(child, text.to_owned()))
    })
}

/// Whether a program takes a text and succeeds.
fn feed(mut child: Child, text: String) -> bool {
    // On a thread, as one that does not read would block us.
    if let Some(mut stdin) = child.stdin.take() {
        thread::spawn(move || stdin.write_all(text.as_bytes()));
    }
    let until = Instant::now() + PATIENCE;
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

/// Writes it to a file that only its user can read, in the place of the one before.
fn write(text: &str, runtime: Option<&Path>, temporary: &Path) -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let places = runtime.map(|dir| dir.join("zerver-copied.txt"));
    let places = places.into_iter().chain([temporary.join(format!("zerver-copied-{user}.txt"))]);
    let mut last = io::Error::other("there is no folder for it");
    for place in places {
        match replace(text, &place) {
            Ok(()) => return Ok(place),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A new file is moved to where the old one was, whatever that was: a link is not followed.
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

    /// What a terminal gets to see: tmux and screen take the strings apart.
    fn seen(between: Between, text: &str) -> String {
        let sequence = between.sequence(text);
        match between {
            Between::Nothing => sequence,
            Between::Tmux => {
                let inner = sequence.strip_prefix("\x1bPtmux;").unwrap().strip_suffix("\x1b\\").unwrap();
                inner.replace("\x1b\x1b", "\x1b")
            }
            Between::Screen => {
                let pieces = sequence.strip_prefix("\x1bP").unwrap().strip_suffix("\x1b\\").unwrap();
                let pieces: Vec<&str> = pieces.split("\x1b\\\x1bP").collect();
                assert!(pieces.iter().all(|piece| piece.len() < 768), "{pieces:?}");
                pieces.concat()
            }
        }
    }

    #[test]
    fn a_terminal_is_asked_in_the_language_of_what_lies_between() {
        let of = |vars: &[&str]| Between::of(|name| vars.contains(&name));
        assert_eq!(of(&[]), Between::Nothing);
        assert_eq!(of(&["TMUX"]), Between::Tmux);
        assert_eq!(of(&["TMUX", "STY"]), Between::Tmux);
        assert_eq!(of(&["STY"]), Between::Screen);
        for text in ["", "a", "curl 'ü'", &"x".repeat(76), &"y".repeat(1000)] {
            let wanted = format!("\x1b]52;c;{}\x07", STANDARD.encode(text));
            for between in [Between::Nothing, Between::Tmux, Between::Screen] {
                assert_eq!(seen(between, text), wanted, "{between:?}");
            }
        }
    }

    #[test]
    fn the_file_is_of_its_user_alone_and_no_link_is_followed() {
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
    fn only_what_a_program_took_is_known_to_be_there() {
        let sh = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdin(Stdio::piped());
            feed(command.spawn().unwrap(), "x".repeat(200_000))
        };
        assert!(sh("cat >/dev/null"));
        assert!(!sh("exit 1"));
    }
}
