//! The store as the screens read it: it may be missing still, and another may come in its place.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zerver_recorder::{ReadError, Reader};
use zerver_replay::Secrets;
use zerver_trace::{Cursor, FlowInfo, Query, RequestId, SourceError, Summary, Trace, TraceSource};

/// A store in a folder.
pub(in crate::command) struct Source {
    dir: PathBuf,
    reader: Mutex<Option<Arc<Reader>>>,
    /// Whether it was opened since somebody asked for news.
    is_anew: AtomicBool,
    /// Traces which the store may lack.
    given: Vec<Trace>,
    /// Why some cannot be read.
    damage: Mutex<Option<String>>,
}

impl Source {
    /// A store that is open.
    pub(super) fn of(dir: PathBuf, reader: Reader) -> Self {
        Self { reader: Mutex::new(Some(Arc::new(reader))), ..Self::at(dir) }
    }

    /// A store that may come to be.
    pub(in crate::command) fn at(dir: PathBuf) -> Self {
        Self {
            dir,
            reader: Mutex::new(None),
            is_anew: AtomicBool::new(false),
            given: Vec::new(),
            damage: Mutex::default(),
        }
    }

    /// The same with traces which the store may lack.
    pub(super) fn with(self, given: Vec<Trace>) -> Self {
        Self { given, ..self }
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

    /// Opens it anew the next time: another store may have come in its place.
    pub(in crate::command) fn reopen(&self) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The store; none where there is none yet.
    fn reader(&self) -> Result<Option<Arc<Reader>>, ReadError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.as_ref().is_none_or(|reader| !reader.is_in_place()) {
            *reader = None;
            match Reader::open(&self.dir) {
                Ok(opened) => {
                    *reader = Some(Arc::new(opened));
                    self.is_anew.store(true, Ordering::Release);
                }
                Err(ReadError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(reader.clone())
    }

    /// Keeps what was found damaged, to be told.
    fn note(&self, damage: Option<ReadError>) {
        if let Some(error) = damage {
            let mut told = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
            told.get_or_insert_with(|| error.to_string());
        }
    }

    /// What the store answers; nothing where there is none. One that cannot be read is opened anew the next time.
    fn ask<T: Default>(&self, f: impl FnOnce(&Reader) -> Result<T, ReadError>) -> Result<T, SourceError> {
        let Some(reader) = self.reader()? else { return Ok(T::default()) };
        f(&reader).map_err(|error| {
            self.reopen();
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

    fn end(&self) -> Result<Cursor, SourceError> {
        Ok(self.ask(|reader| reader.newest().map(Some))?.unwrap_or(Reader::oldest()))
    }

    fn list_before(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Summary>, Option<Cursor>), SourceError> {
        let page = self.ask(|reader| reader.readable_before(cursor, limit).map(Some))?;
        let (mut requests, rest) = page.map_or((Vec::new(), None), |page| {
            self.note(page.damage);
            (page.summaries, page.reached)
        });
        if rest.is_none() {
            // At the end of what the store has is what it lacks.
            for trace in &self.given {
                if self.ask(|reader| reader.load(trace.id))?.is_none() {
                    requests.push(trace.summary());
                }
            }
        }
        Ok((requests, rest))
    }

    fn list_since(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), SourceError> {
        let news = self.ask(|reader| {
            // Where it is another store than before, all of it is new.
            let is_another = self.is_anew.swap(false, Ordering::AcqRel) && reader.newest()? < cursor;
            let cursor = if is_another { Reader::oldest() } else { cursor };
            reader.readable_since(cursor, limit).map(Some)
        })?;
        Ok(news.map_or((Vec::new(), cursor), |page| {
            self.note(page.damage);
            (page.summaries, page.reached)
        }))
    }

    fn damage(&self) -> Option<String> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_store_may_come_later_and_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join(".zerver");
        let source = Source::at(store.clone());
        let numbered = |number| {
            let mut trace = sample::slow();
            trace.id = RequestId::from_u128(number);
            trace
        };
        let mut cursor = source.end().unwrap();
        let mut news = || {
            let (requests, reached) = source.list_since(cursor, 100).unwrap();
            cursor = reached;
            requests.into_iter().map(|request| request.id.as_u128()).collect::<Vec<_>>()
        };
        assert!(news().is_empty());
        for number in 1..4 {
            zerver_recorder::import(&store, vec![numbered(number)]).unwrap();
            source.reopen();
            assert_eq!(news(), [number]);
        }
        std::fs::remove_dir_all(&store).unwrap();
        zerver_recorder::import(&store, vec![numbered(9)]).unwrap();
        assert_eq!(news(), [9], "that it is another one is noticed");
        assert!(news().is_empty());
    }

    #[test]
    fn what_is_readable_of_a_damaged_store_is_shown_and_the_rest_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for number in 1..9 {
            let mut trace = sample::slow();
            trace.id = RequestId::from_u128(number);
            zerver_recorder::import(dir.path(), vec![trace]).unwrap();
        }
        let file = dir.path().join("traces.redb");
        let whole = std::fs::read(&file).unwrap();
        let mut shown = 0;
        // Each record of the store, one after another.
        for at in (0..whole.len() - 64).filter(|&at| whole[at..].starts_with(b"zvr1")) {
            let mut bytes = whole.clone();
            bytes[at + 40] ^= 1;
            std::fs::write(&file, bytes).unwrap();
            let source = Source::at(dir.path().to_owned());
            let Ok(newest) = source.end() else { continue };
            let Ok((requests, None)) = source.list_before(newest, 100) else { continue };
            assert!(requests.len() == 8 || source.damage().is_some(), "at {at}: {}", requests.len());
            if let Some(why) = source.damage() {
                assert!(why.contains("zerver doctor --repair"), "{why}");
                shown += usize::from(!requests.is_empty());
            }
        }
        assert!(shown > 0);
    }
}
