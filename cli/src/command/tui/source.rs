//! The store as the screens read it: it may be missing still, and another may come in its place.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zerver_recorder::{ReadError, Reader};
use zerver_replay::Secrets;
use zerver_trace::{Cursor, FlowInfo, Query, RequestId, SourceError, Summary, Trace, TraceSource};

/// A store in a folder.
pub(in crate::command) struct Source {
    dir: PathBuf,
    reader: Mutex<Option<Arc<Reader>>>,
    /// Traces which the store may lack.
    given: Vec<Trace>,
}

impl Source {
    /// A store, open or to be opened, and traces beside it.
    pub(super) fn of(dir: PathBuf, reader: Option<Reader>, given: Vec<Trace>) -> Self {
        Self { dir, reader: Mutex::new(reader.map(Arc::new)), given }
    }

    /// The secrets of a trace, as far as the store's key opens them.
    pub(super) fn secrets(&self, trace: &Trace) -> Secrets {
        let reader = self.reader().ok().flatten();
        Secrets(reader.and_then(|reader| reader.secrets(trace).ok()).unwrap_or_default())
    }

    /// The flows that the store knows.
    pub(super) fn flows(&self) -> Result<Vec<FlowInfo>, SourceError> {
        self.ask(Reader::catalog)
    }

    /// The folder of the store.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The store; none where there is none yet.
    fn reader(&self) -> Result<Option<Arc<Reader>>, ReadError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.is_none() {
            match Reader::open(&self.dir) {
                Ok(opened) => *reader = Some(Arc::new(opened)),
                Err(ReadError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(reader.clone())
    }

    /// What the store answers; nothing where there is none. One that cannot be read is opened anew the next time.
    fn ask<T: Default>(&self, f: impl FnOnce(&Reader) -> Result<T, ReadError>) -> Result<T, SourceError> {
        let Some(reader) = self.reader()? else { return Ok(T::default()) };
        f(&reader).map_err(|error| {
            *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = None;
            error.into()
        })
    }
}

impl TraceSource for Source {
    fn list(&self, query: &Query) -> Result<Vec<Summary>, SourceError> {
        self.ask(|reader| reader.list(query))
    }

    fn load(&self, id: RequestId) -> Result<Option<Trace>, SourceError> {
        match self.given.iter().find(|trace| trace.id == id) {
            Some(trace) => Ok(Some(trace.clone())),
            None => self.ask(|reader| reader.load(id)),
        }
    }

    fn newest(&self) -> Result<Cursor, SourceError> {
        Ok(self.ask(|reader| reader.newest().map(Some))?.unwrap_or(Reader::oldest()))
    }

    fn before(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Option<Cursor>), SourceError> {
        self.ask(|reader| reader.before(cursor, limit))
    }

    fn since(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), SourceError> {
        Ok(self.ask(|reader| reader.since_at_most(cursor, limit).map(Some))?.unwrap_or((Vec::new(), cursor)))
    }
}
