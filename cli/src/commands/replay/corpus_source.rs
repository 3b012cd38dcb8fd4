//! Requests that are replayed together: those of the store, or of portable files.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};

use zerver_analysis::RequestQuery;
use zerver_recorder::Reader;
use zerver_replay::{Recording, Secrets};
use zerver_trace::{Query, RequestId};

use crate::args::{CorpusSelection, Global, Replay, parse_query};
use crate::clock::{local_clock, now_unix_ns};
use crate::error::CommandError;
use crate::view::count;
use crate::{locate, paths};

/// Source of the requests: the store, or portable files.
pub(super) struct CorpusSource {
    /// The store, unless files are named.
    pub(super) reader: Option<Reader>,
    files: Vec<PathBuf>,
    /// File of each request.
    file_of: Mutex<BTreeMap<RequestId, PathBuf>>,
    /// Options that select requests.
    stored: Query,
    /// Words that select requests.
    query: RequestQuery,
}

impl CorpusSource {
    pub(super) fn open(
        selection: &CorpusSelection,
        args: &Replay,
        global: &Global,
    ) -> Result<Self, CommandError> {
        let query = parse_query(&selection.words, &local_clock())?;
        let stored = args.filter.query(now_unix_ns(), args.limit.0);
        let (mut reader, mut files) = (None, Vec::new());
        if selection.paths.is_empty() {
            reader = Some(locate::open_reader(&locate::store_place(global)?)?);
        }
        for path in &selection.paths {
            match path.is_dir() {
                true => files.append(&mut portable_files(path)?),
                false => files.push(path.clone()),
            }
        }
        Ok(Self { reader, files, file_of: Mutex::default(), stored, query })
    }

    /// Sends the matching requests. Returns warnings, and the error that stopped it.
    pub(super) fn read(
        &self,
        requests: &SyncSender<Recording>,
        is_stopped: &dyn Fn() -> bool,
    ) -> (Vec<String>, Option<CommandError>) {
        let (mut undecrypted, mut without_steps) = (None, 0);
        let mut left = self.stored.limit.unwrap_or(usize::MAX);
        let error = match &self.reader {
            None => self.read_files(requests, is_stopped).err(),
            Some(reader) => {
                let mut damaged = None;
                let visited = reader.visit(&self.query.narrowed(&self.stored), |request| {
                    if left == 0 || is_stopped() {
                        return ControlFlow::Break(());
                    }
                    // An error occurs again when the trace is loaded.
                    if !self.query.matches_view(request).unwrap_or(true) {
                        return ControlFlow::Continue(());
                    }
                    let trace = match request.load() {
                        Ok(trace) => trace,
                        Err(error) => {
                            damaged = Some(error);
                            return ControlFlow::Break(());
                        }
                    };
                    if !trace.has_steps() {
                        without_steps += 1;
                        return ControlFlow::Continue(());
                    }
                    left -= 1;
                    let secrets = reader.open_secrets(&trace).unwrap_or_else(|error| {
                        undecrypted.get_or_insert_with(|| error.to_string());
                        Default::default()
                    });
                    match requests.send(Recording { trace, secrets: Secrets(secrets) }) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    }
                });
                let error = visited.err().or(damaged);
                error.map(|error| locate::unreadable_store(&reader.place(), &error))
            }
        };
        let warning = undecrypted.map(|error| {
            format!("cannot decrypt the secrets of some requests: {}", zerver_trace::text::clean(&error))
        });
        let left_out = (without_steps > 0).then(|| {
            let requests = count(without_steps, "request", "requests");
            format!(
                "{requests} left out: recorded by a layer or imported as spans, they have no steps to replay"
            )
        });
        (warning.into_iter().chain(left_out).collect(), error)
    }

    fn read_files(
        &self,
        requests: &SyncSender<Recording>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<(), CommandError> {
        let mut left = self.stored.limit.unwrap_or(usize::MAX);
        for file in &self.files {
            let trace = locate::read_portable(file)?;
            if !self.stored.matches(&trace.summary()) || !self.query.matches(&trace) {
                continue;
            }
            self.file_of.lock().unwrap_or_else(PoisonError::into_inner).insert(trace.id, file.clone());
            let opened = Recording { trace, secrets: Secrets::default() };
            if left == 0 || is_stopped() || requests.send(opened).is_err() {
                break;
            }
            left -= 1;
        }
        Ok(())
    }

    /// Returns the file of a request, unless it comes from the store.
    pub(super) fn file(&self, id: RequestId) -> Option<PathBuf> {
        self.file_of.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Returns the error for a source without requests: a test of nothing must not pass.
    pub(super) fn empty(&self, args: &Replay) -> CommandError {
        let is_filtered = args.filter != Default::default() || !self.query.is_empty();
        match &self.reader {
            None if self.files.is_empty() => {
                CommandError::new("no portable files to replay").with_hint("`zerver export <id>` writes them")
            }
            None => CommandError::new("no request in these files matches")
                .with_hint("leave out filters and query"),
            Some(reader) => {
                let dir = reader.place();
                CommandError::new(format!("no requests to replay in {dir}")).with_hint(match is_filtered {
                    true => "`zerver ls` accepts the same query and lists what matches",
                    false => "`zerver dev` records the requests of a service",
                })
            }
        }
    }
}

/// Returns the portable files in a folder and below, sorted by path.
fn portable_files(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let failed = |error: &std::io::Error| {
        CommandError::new(format!("cannot read the folder {}", paths::display(folder))).caused_by(error)
    };
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(|error| failed(&error))?);
        // Links to folders are not followed: they may form a cycle.
        if kind.is_dir() {
            found.append(&mut portable_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "zrv") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
