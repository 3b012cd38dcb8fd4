//! Replays for the terminal UI. Nothing is printed, and the program that replayed one request is kept for the next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use zerver_recorder::Reader;
use zerver_replay::{Edits, Recording, Report, SliceRequest, ValueSlice, static_slice};

use super::host::ReplayHost;
use super::program::ServiceProgram;
use super::slicer;
use crate::args::Program;
use crate::error::CommandError;
use crate::locate::check_recorded;

/// Replays requests one at a time.
#[derive(Default)]
pub(crate) struct Replayer {
    /// Folder of the service's package; `None` lets the store decide.
    app: Option<PathBuf>,
    program: Program,
    current: CurrentProgram,
    idle: Mutex<Option<IdleHost>>,
}

/// The program that is known to be up to date. `zerver dev` watches the sources and knows; `None` means that Cargo has to
/// be run.
#[derive(Debug, Clone, Default)]
pub(crate) struct CurrentProgram(Arc<Mutex<Option<PathBuf>>>);

/// A host that waits for the next request.
struct IdleHost {
    exe: PathBuf,
    stamp: Option<FileStamp>,
    host: ReplayHost,
}

/// Modification time and length, which identify a version of a file.
type FileStamp = (SystemTime, u64);

impl CurrentProgram {
    pub(crate) fn set(&self, exe: Option<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = exe;
    }

    fn get(&self) -> Option<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Replayer {
    pub(crate) fn new(app: Option<PathBuf>, program: Program) -> Self {
        Self { app, program, ..Self::default() }
    }

    /// Returns a handle that sets the current program.
    pub(crate) fn current(&self) -> CurrentProgram {
        self.current.clone()
    }

    /// Replays a request. Returns the report and the id of the build that replayed it.
    ///
    /// # Errors
    /// With what the compiler or the service printed among the causes.
    pub(crate) fn replay(
        &self,
        opened: Recording,
        edits: Edits,
        store: Option<&Reader>,
    ) -> Result<(Report, String), CommandError> {
        check_recorded(&opened.trace, "replay", &opened.trace.id.to_string())?;
        let exe = self.exe(store)?;
        let stamp = stamp(&exe);
        let is_current = |idle: &IdleHost| idle.exe == exe && idle.stamp == stamp && stamp.is_some();
        // A replay that begins meanwhile starts another host.
        let idle = self.idle().take().filter(is_current).map(|idle| idle.host);
        let mut host = match idle.and_then(|mut host| host.is_alive().then_some(host)) {
            Some(host) => host,
            None => ReplayHost::start(&exe)?,
        };
        let build = host.build().to_owned();
        match host.replay(opened, edits, &mut |_| ()) {
            Ok(report) => {
                *self.idle() = Some(IdleHost { exe, stamp, host });
                Ok((report, build))
            }
            Err(mut error) => {
                let lines = host.take_stderr();
                error.causes.extend(lines.iter().map(|line| format!("the service printed: {line}")));
                Err(error)
            }
        }
    }

    /// Finds the sources of a value of a request.
    ///
    /// # Errors
    /// If the recording lacks the value, or with what the compiler or the service printed among the causes.
    pub(crate) fn slice(
        &self,
        opened: &Recording,
        request: SliceRequest,
        store: Option<&Reader>,
    ) -> Result<ValueSlice, CommandError> {
        check_recorded(&opened.trace, "replay", &opened.trace.id.to_string())?;
        // Before the service is built: the recording must have the value.
        static_slice(&opened.trace, &request.target)?;
        let exe = self.exe(store)?;
        Ok(slicer::slice(&exe, opened, request, &mut |_| ())?.slice)
    }

    fn exe(&self, store: Option<&Reader>) -> Result<PathBuf, CommandError> {
        if let Some(exe) = self.program.exe.clone().or_else(|| self.current.get()) {
            return Ok(exe);
        }
        let program = ServiceProgram::find(self.app.as_deref(), &self.program, store)?;
        program.build_silently(self.program.release)
    }

    fn idle(&self) -> MutexGuard<'_, Option<IdleHost>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(exe: &Path) -> Option<FileStamp> {
    let found = std::fs::metadata(exe).ok()?;
    Some((found.modified().ok()?, found.len()))
}
