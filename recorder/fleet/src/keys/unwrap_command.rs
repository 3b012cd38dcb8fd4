//! The command of an operator that unwraps keys: it gets a wrapped key as a line of hexadecimal digits, and prints the key as
//! 64 such digits.

use std::io::{Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use zerver_recorder::DataKey;

use crate::keys::hex;
use crate::keys::wrapped_key::WrappedKey;

/// Maximum number of bytes to read of what the command prints, and of its messages.
const MAX_OUTPUT: u64 = 1024;
/// Time between two looks at a command that has printed everything and has not ended.
const POLL: Duration = Duration::from_millis(5);

/// The reason why a command unwrapped nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandFailure {
    pub(super) reason: String,
    /// True if the next call would take as long.
    pub(super) is_hanging: bool,
}

impl CommandFailure {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_hanging: false }
    }
}

/// Runs the command, which a shell interprets, for one key.
pub(super) fn unwrap(command: &str, key: &WrappedKey, limit: Duration) -> Result<DataKey, CommandFailure> {
    let until = Instant::now() + limit;
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| CommandFailure::new(format!("cannot run it: {error}")))?;
    let (output, messages) = (read(child.stdout.take()), read(child.stderr.take()));
    if let Some(mut stdin) = child.stdin.take() {
        // A command need not read it all. The line fits into any pipe, so this does not wait.
        let _ = stdin.write_all(key.to_line().as_bytes());
    }
    let result = end(&mut child, &output, &messages, key, until);
    if result.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
    result.map_err(|failure| match failure.is_hanging {
        true => CommandFailure {
            reason: format!("it had not ended after {} s", limit.as_secs_f32()),
            is_hanging: true,
        },
        false => failure,
    })
}

/// Waits for the end of the command.
fn end(
    child: &mut Child,
    output: &mpsc::Receiver<Vec<u8>>,
    messages: &mpsc::Receiver<Vec<u8>>,
    key: &WrappedKey,
    until: Instant,
) -> Result<DataKey, CommandFailure> {
    let hanging = || CommandFailure { reason: String::new(), is_hanging: true };
    let left = || until.saturating_duration_since(Instant::now());
    let printed = match output.recv_timeout(left()) {
        Ok(printed) => printed,
        Err(RecvTimeoutError::Timeout) => return Err(hanging()),
        Err(RecvTimeoutError::Disconnected) => Vec::new(),
    };
    if printed.len() as u64 > MAX_OUTPUT {
        return Err(CommandFailure::new("it printed more than a key"));
    }
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if left().is_zero() => return Err(hanging()),
            Ok(None) => thread::sleep(POLL),
            Err(error) => return Err(CommandFailure::new(error.to_string())),
        }
    };
    if !status.success() {
        let said = messages.recv_timeout(left().min(Duration::from_secs(1))).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        let said = last.map_or_else(String::new, |line| format!(": {line}"));
        return Err(CommandFailure::new(format!("it failed ({status}){said}")));
    }
    if printed.trim_ascii().is_empty() {
        return Err(CommandFailure::new("it printed nothing"));
    }
    let printed = str::from_utf8(&printed).ok().and_then(|text| hex::decode(text.trim()));
    match printed {
        // What it printed may be another key, and is not repeated.
        None => {
            Err(CommandFailure::new("it printed something other than a key, which is 64 hexadecimal digits"))
        }
        Some(bytes) => key
            .check(&bytes)
            .ok_or_else(|| CommandFailure::new("it printed another key than the one that was wrapped")),
    }
}

/// Reads from a pipe on a thread, which ends with the pipe. What exceeds the limit stays unread.
fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(pipe) = pipe {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error counts.
            let _ = pipe.take(MAX_OUTPUT + 1).read_to_end(&mut bytes);
            let _ = sender.send(bytes);
        });
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::pair::PrivateKey;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn wrapped() -> (DataKey, WrappedKey) {
        let key = DataKey::new([9; 32]);
        let wrapped = WrappedKey::new(&key, PrivateKey::random().unwrap().public()).unwrap();
        (key, wrapped)
    }

    #[test]
    fn a_command_gets_the_wrapped_key_and_prints_the_key() {
        let (key, wrapped) = wrapped();
        let dir = tempfile::tempdir().unwrap();
        let got = dir.path().join("got");
        let command = format!("cat > '{}'; echo {}", got.display(), hex::encode(key.bytes()));
        assert_eq!(unwrap(&command, &wrapped, PATIENCE).unwrap().bytes(), key.bytes());
        assert_eq!(std::fs::read_to_string(got).unwrap(), wrapped.to_line());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let (_, wrapped) = wrapped();
        let other = hex::encode(&[8; 32]);
        for (command, reason) in [
            ("echo hunter2", "other than a key"),
            (&*format!("echo {other}"), "another key"),
            ("true", "printed nothing"),
            ("yes hunter2", "more than a key"),
            ("head -c 100 /dev/zero", "other than a key"),
            ("echo 'no such token' >&2; exit 3", "it failed (exit status: 3): no such token"),
            ("/nonexistent/program", "it failed"),
            ("kill -9 $$", "it failed (signal: 9"),
        ] {
            let failure = unwrap(command, &wrapped, PATIENCE).unwrap_err();
            assert!(failure.reason.contains(reason) && !failure.is_hanging, "{command}: {failure:?}");
            assert!(!failure.reason.contains("hunter2") && !failure.reason.contains(&other), "{failure:?}");
        }
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let (_, wrapped) = wrapped();
        for command in ["exec sleep 1000", "exec >&-; exec sleep 1000"] {
            let failure = unwrap(command, &wrapped, Duration::from_millis(100)).unwrap_err();
            assert!(failure.is_hanging && failure.reason.contains("0.1 s"), "{command}: {failure:?}");
        }
    }
}
