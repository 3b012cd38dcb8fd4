//! `zerver dap`: recorded requests in the debugger of an editor.

use std::cell::RefCell;
use std::env;
use std::io;
use std::path::{Path, PathBuf};

use zerver_dap::{Recordings, SourceText};
use zerver_trace::Trace;

use crate::args::{Dap, Global, TraceRef};
use crate::error::{CommandError, CommandOutcome};
use crate::{locate, source_code};

pub(super) fn run(args: &Dap, global: &Global) -> Result<CommandOutcome, CommandError> {
    let mut folders: Vec<PathBuf> = args.app.iter().cloned().collect();
    folders.extend(env::current_dir());
    let recordings = LocalRecordings { global, folders: RefCell::new(folders) };
    let served = zerver_dap::serve(io::stdin().lock(), io::stdout().lock(), &recordings);
    match served {
        // The editor has gone.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(CommandOutcome::Success),
        Err(error) => {
            Err(CommandError::new("cannot serve the Debug Adapter Protocol").caused_by(&error).with_hint(
                "an editor starts this command and speaks the protocol to it; `zerver tui` is for people",
            ))
        }
        Ok(()) => Ok(CommandOutcome::Success),
    }
}

/// Requests of a store or of portable files, and sources of this machine.
struct LocalRecordings<'g> {
    global: &'g Global,
    /// Folders in and above which sources are.
    folders: RefCell<Vec<PathBuf>>,
}

impl Recordings for LocalRecordings<'_> {
    fn load(&self, request: &str, store: Option<&str>) -> Result<Trace, String> {
        let wanted: TraceRef = request.parse()?;
        if wanted == TraceRef::StandardInput {
            return Err("standard input has the messages of the editor; name a request or a file".to_owned());
        }
        let store = store.map(PathBuf::from).or_else(|| self.global.store.clone());
        let loaded = locate::load_trace(&Global { store, ..self.global.clone() }, &wanted);
        let loaded = loaded.map_err(|error| {
            let hints = error.hints.iter().map(|hint| format!("; {hint}"));
            std::iter::once(error.one_line()).chain(hints).collect::<String>()
        })?;
        let above = match (&wanted, &loaded.reader) {
            (TraceRef::File(path), _) => path.canonicalize().ok(),
            (_, Some(reader)) => reader.dir().map(Path::to_owned),
            _ => None,
        };
        self.folders.borrow_mut().extend(above);
        Ok(loaded.trace)
    }

    fn source(&self, file: &str) -> Option<SourceText> {
        let folders = self.folders.borrow();
        let below: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
        source_code::read(file, &below).map(|(path, text)| SourceText { path, text })
    }
}
