//! Processes that are measured from their start to their end.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::servers::process;

/// The `zerver` command, built as this program was.
pub(super) struct Zerver(PathBuf);

impl Zerver {
    /// Finds the command beside this program.
    pub(super) fn find() -> Result<Self, String> {
        let program = process::program()?.with_file_name("zerver");
        match program.is_file() {
            true => Ok(Self(program)),
            false => Err(format!(
                "{} is missing: run `cargo build -p zerver-cli` first, with --release for a release build",
                program.display()
            )),
        }
    }

    /// Returns the command on a store.
    pub(super) fn command(&self, store: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command.arg("--store").arg(store).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the command, and returns how long it took.
    pub(super) fn run(&self, store: &Path, arguments: &[&str]) -> Result<Duration, String> {
        // 1 is a finding, as of a simulation that does not reproduce what was recorded.
        run(&mut self.command(store, arguments), &[0, 1])
    }
}

/// A repository with one commit.
pub(super) struct Git(PathBuf);

impl Git {
    pub(super) fn new() -> Result<Self, String> {
        let repository =
            Self(std::env::temp_dir().join(format!("zerver-bench-{}-repository", std::process::id())));
        std::fs::create_dir_all(&repository.0).map_err(|error| error.to_string())?;
        repository.run(&["init", "--quiet"])?;
        let author = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
        let commit = ["commit", "--quiet", "--allow-empty", "--message", "first"];
        repository.run(&[&author[..], &commit].concat())?;
        Ok(repository)
    }

    /// Runs `git log -1`, and returns how long it took.
    pub(super) fn log(&self) -> Result<Duration, String> {
        self.run(&["log", "-1"])
    }

    fn run(&self, arguments: &[&str]) -> Result<Duration, String> {
        run(Command::new("git").arg("-C").arg(&self.0).args(arguments), &[0])
    }
}

impl Drop for Git {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(command: &mut Command, expected: &[i32]) -> Result<Duration, String> {
    let begun = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let took = begun.elapsed();
    let status = status.map_err(|error| format!("{command:?}: {error}"))?;
    match status.code() {
        Some(code) if expected.contains(&code) => Ok(took),
        _ => Err(format!("{command:?} exited with {status}")),
    }
}
