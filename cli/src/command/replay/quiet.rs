//! Replays for the terminal UI: nothing is said beside, and the program that ran one request is kept for the next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use zerver_replay::{Edits, Recording, Report};

use super::app_of;
use super::host::Host;
use crate::args::Program;
use crate::command::dev::cargo::{self, Package};
use crate::trouble::Trouble;

/// The service that runs requests again.
#[derive(Default)]
pub(in crate::command) struct Replayer {
    /// The folder of its package; none means the one that the store is in, or else the current one.
    pub(in crate::command) app: Option<PathBuf>,
    /// Which of its programs, and how it is built.
    pub(in crate::command) program: Program,
    /// The program that is up to date, where somebody knows.
    pub(in crate::command) current: Current,
    kept: Mutex<Option<Kept>>,
}

/// The program that is up to date. Who watches the sources knows; where nobody does, Cargo is asked.
#[derive(Debug, Clone, Default)]
pub(in crate::command) struct Current(Arc<Mutex<Option<PathBuf>>>);

/// A program that waits for requests to run again.
struct Kept {
    exe: PathBuf,
    file: Option<File>,
    host: Host,
}

/// What tells one file from another that came in its place.
type File = (SystemTime, u64);

impl Current {
    /// This one is; or nobody knows any more.
    pub(in crate::command) fn set(&self, exe: Option<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = exe;
    }

    fn get(&self) -> Option<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Replayer {
    pub(in crate::command) fn new(app: Option<PathBuf>, program: Program) -> Self {
        Self { app, program, ..Self::default() }
    }

    /// Runs a request again and says nothing: also the build that ran it is given back. What the compiler and the
    /// service said is among the causes where it fails.
    pub(in crate::command) fn replay(
        &self,
        opened: Recording,
        edits: Edits,
        store: &Path,
    ) -> Result<(Report, String), Trouble> {
        let exe = self.exe(store)?;
        let file = file(&exe);
        let is_same = |kept: &Kept| kept.exe == exe && kept.file == file && file.is_some();
        // Whoever comes meanwhile starts one of their own.
        let kept = self.lock().take().filter(is_same).map(|kept| kept.host);
        let living = kept.and_then(|mut host| host.is_alive().then_some(host));
        let mut host = match living {
            Some(host) => host,
            None => Host::start(&exe)?,
        };
        let build = host.build().to_owned();
        match host.replay(opened, edits, &mut |_| ()) {
            Ok(report) => {
                *self.lock() = Some(Kept { exe, file, host });
                Ok((report, build))
            }
            Err(mut trouble) => {
                trouble.causes.extend(host.said().iter().map(|line| format!("the service said: {line}")));
                Err(trouble)
            }
        }
    }

    fn exe(&self, store: &Path) -> Result<PathBuf, Trouble> {
        if let Some(exe) = self.program.exe.clone().or_else(|| self.current.get()) {
            return Ok(exe);
        }
        let app = self.app.clone().or_else(|| app_of(store)).unwrap_or_else(|| PathBuf::from("."));
        cargo::build_quietly(&Package::find(&app, self.program.bin.as_deref())?, self.program.release)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file(exe: &Path) -> Option<File> {
    let found = std::fs::metadata(exe).ok()?;
    Some((found.modified().ok()?, found.len()))
}
