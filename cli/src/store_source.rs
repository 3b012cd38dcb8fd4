//! The store as the terminal UI and the web UI read it. It may not exist yet, and may be replaced by another.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use zerver_recorder::{FileMark, ReadError, Reader};
use zerver_replay::Secrets;
use zerver_trace::{
    CatalogFlow, Cursor, Query, RequestId, SourceError, Summary, Trace, TraceSource, TraceView,
};

use crate::requests::fleet_nodes::KnownNodes;
use crate::store_place::StorePlace;

/// The store in a folder.
pub(crate) struct StoreSource {
    place: StorePlace,
    reader: Mutex<Option<Arc<Reader>>>,
    /// True if the store has been opened since the last read of new requests.
    is_reopened: AtomicBool,
    /// Traces that the store may lack.
    extra: Vec<Trace>,
    /// First damage found.
    damage: Mutex<Option<String>>,
    idle: Mutex<IdleStore>,
    /// Time at which a fleet was read last.
    polled: Mutex<Option<Instant>>,
    nodes: KnownNodes,
}

/// Time for which a store must not have changed before it is only read again after a change. File systems distinguish
/// changes that are at least two seconds apart.
const QUIET: Duration = Duration::from_secs(3);

/// Interval between two reads of a fleet, which is on the other side of a network.
const FLEET_INTERVAL: Duration = Duration::from_millis(500);

/// Since when a store has not changed. Reading one that is idle costs more than looking at its file.
#[derive(Debug, Default)]
struct IdleStore(Option<(FileMark, Cursor, Instant)>);

impl IdleStore {
    /// Returns true if nothing can have been added after the cursor.
    fn is_idle(&mut self, mark: Option<FileMark>, cursor: Cursor, now: Instant) -> bool {
        match (mark, &self.0) {
            (Some(mark), Some((before, read_to, since))) if (mark, cursor) == (*before, *read_to) => {
                now.saturating_duration_since(*since) > QUIET
            }
            (mark, _) => {
                self.0 = mark.map(|mark| (mark, cursor, now));
                false
            }
        }
    }
}

impl StoreSource {
    /// Returns a store that is open.
    pub(crate) fn from_reader(place: StorePlace, reader: Reader) -> Self {
        Self { reader: Mutex::new(Some(Arc::new(reader))), ..Self::new(place) }
    }

    /// Returns a store that need not exist yet.
    pub(crate) fn new(place: StorePlace) -> Self {
        Self {
            place,
            reader: Mutex::new(None),
            is_reopened: AtomicBool::new(false),
            extra: Vec::new(),
            damage: Mutex::default(),
            idle: Mutex::default(),
            polled: Mutex::default(),
            nodes: KnownNodes::default(),
        }
    }

    /// Adds traces that the store may lack.
    pub(crate) fn with_extra(self, extra: Vec<Trace>) -> Self {
        Self { extra, ..self }
    }

    /// Returns the secrets of a trace that the store's key can decrypt, and the reason if it decrypts none.
    pub(crate) fn secrets(&self, trace: &Trace) -> (Secrets, Option<String>) {
        let reader = self.reader().ok().flatten();
        match reader.map(|reader| reader.open_secrets(trace)) {
            Some(Ok(secrets)) => (Secrets(secrets), None),
            Some(Err(error)) => (Secrets::default(), Some(error.to_string())),
            None => (Secrets::default(), None),
        }
    }

    /// Returns the flows in the store, with what their definitions say.
    pub(crate) fn catalog(&self) -> Result<Vec<CatalogFlow>, SourceError> {
        self.read(Reader::catalog)
    }

    /// Returns the folder of the store. Empty for a fleet.
    pub(crate) fn dir(&self) -> &Path {
        self.place.folder().unwrap_or(Path::new(""))
    }

    /// Reopens the store at the next read: another one may have replaced it.
    pub(crate) fn reopen(&self) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns the open store; `None` if there is none yet.
    pub(crate) fn reader(&self) -> Result<Option<Arc<Reader>>, ReadError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.as_ref().is_none_or(|reader| !reader.is_in_place()) {
            *reader = None;
            match self.place.open() {
                Ok(opened) => {
                    *reader = Some(Arc::new(opened));
                    self.is_reopened.store(true, Ordering::Release);
                }
                Err(ReadError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(reader.clone())
    }

    /// Returns true if new requests may be looked for: always in a folder, and now and then in a fleet.
    fn is_poll_due(&self, now: Instant) -> bool {
        let mut polled = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = self.place.folder().is_some()
            || polled.is_none_or(|last| now.saturating_duration_since(last) >= FLEET_INTERVAL);
        if is_due {
            *polled = Some(now);
        }
        is_due
    }

    /// Keeps the first damage found.
    fn keep_damage(&self, damage: Option<ReadError>) {
        if let Some(error) = damage {
            let mut first = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| error.to_string());
        }
    }

    /// Reads from the store; returns the default if there is none. After an error, the store is reopened at the next read. A
    /// fleet connects again by itself, and keeps the positions that cursors name.
    fn read<T: Default>(&self, f: impl FnOnce(&Reader) -> Result<T, ReadError>) -> Result<T, SourceError> {
        let Some(reader) = self.reader()? else { return Ok(T::default()) };
        f(&reader).map_err(|error| {
            if self.place.folder().is_some() {
                self.reopen();
            }
            error.into()
        })
    }
}

impl TraceSource for StoreSource {
    fn list(&self, query: &Query) -> Result<Vec<Summary>, SourceError> {
        self.read(|reader| reader.list(query))
    }

    fn load(&self, id: RequestId) -> Result<Option<Trace>, SourceError> {
        match self.extra.iter().find(|trace| trace.id == id) {
            Some(trace) => Ok(Some(trace.clone())),
            None => self.read(|reader| reader.load(id)),
        }
    }

    fn visit(
        &self,
        query: &Query,
        f: &mut dyn FnMut(&dyn TraceView) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        self.read(|reader| reader.visit(query, |request| f(request)))
    }

    fn visit_ids(
        &self,
        ids: &[RequestId],
        f: &mut dyn FnMut(&dyn TraceView) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        self.visit_ids_matching(ids, &Query::default(), f)
    }

    fn visit_ids_matching(
        &self,
        ids: &[RequestId],
        query: &Query,
        f: &mut dyn FnMut(&dyn TraceView) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        let is_extra = |id: &RequestId| self.extra.iter().any(|trace| trace.id == *id);
        for trace in self.extra.iter().filter(|trace| ids.contains(&trace.id)) {
            if f(trace).is_break() {
                return Ok(());
            }
        }
        let ids: Vec<RequestId> = ids.iter().copied().filter(|id| !is_extra(id)).collect();
        self.read(|reader| reader.visit_ids_matching(&ids, query, |request| f(request)))
    }

    fn nodes(&self, ids: &[RequestId]) -> Vec<(RequestId, String)> {
        let (Some(url), Ok(Some(reader))) = (self.place.fleet(), self.reader()) else { return Vec::new() };
        self.nodes.of(url, &reader, ids)
    }

    fn end(&self) -> Result<Cursor, SourceError> {
        Ok(self.read(|reader| reader.end().map(Some))?.unwrap_or(Reader::start()))
    }

    fn list_before(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Summary>, Option<Cursor>), SourceError> {
        let page = self.read(|reader| reader.list_readable_before(cursor, limit).map(Some))?;
        let (mut requests, rest) = page.map_or((Vec::new(), None), |page| {
            self.keep_damage(page.damage);
            (page.summaries, page.reached)
        });
        if rest.is_none() {
            // Traces that the store lacks come after those it has.
            for trace in &self.extra {
                if self.read(|reader| reader.load(trace.id))?.is_none() {
                    requests.push(trace.summary());
                }
            }
        }
        Ok((requests, rest))
    }

    fn list_since(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), SourceError> {
        if !self.is_poll_due(Instant::now()) {
            return Ok((Vec::new(), cursor));
        }
        let mark = self.reader()?.and_then(|reader| reader.mark());
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.is_idle(mark, cursor, Instant::now()) {
            return Ok((Vec::new(), cursor));
        }
        drop(idle);
        let news = self.read(|reader| {
            // If it is another store than before, everything in it is new.
            let is_another = self.is_reopened.swap(false, Ordering::AcqRel) && reader.end()? < cursor;
            let cursor = if is_another { Reader::start() } else { cursor };
            reader.list_readable_since(cursor, limit).map(Some)
        })?;
        Ok(news.map_or((Vec::new(), cursor), |page| {
            self.keep_damage(page.damage);
            if !page.summaries.is_empty() {
                // There may be more.
                *self.polled.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
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
    use zerver_testkit::sample;

    #[test]
    fn a_store_may_be_created_later_and_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join(".zerver");
        let source = StoreSource::new(store.clone().into());
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
        assert_eq!(news(), [9], "the new store is noticed");
        assert!(news().is_empty());
    }

    #[test]
    fn a_store_that_has_not_changed_for_a_while_is_idle() {
        let dir = tempfile::tempdir().unwrap();
        zerver_recorder::import(dir.path(), vec![sample::slow()]).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        let (mut idle, cursor) = (IdleStore::default(), reader.end().unwrap());
        let start = Instant::now();
        let mut is_idle =
            |cursor, seconds| idle.is_idle(reader.mark(), cursor, start + Duration::from_secs(seconds));
        assert_eq!(
            [0, 1, 3, 4, 5].map(|seconds| is_idle(cursor, seconds)),
            [false, false, false, true, true]
        );
        assert_eq!([6, 9, 10].map(|seconds| is_idle(Reader::start(), seconds)), [false, false, true]);
        let mut more = sample::slow();
        more.id = RequestId::from_u128(7);
        zerver_recorder::import(dir.path(), vec![more]).unwrap();
        assert_eq!([20, 21, 24].map(|seconds| is_idle(Reader::start(), seconds)), [false, false, true]);
        assert!(!IdleStore::default().is_idle(None, cursor, start));
    }

    #[test]
    fn readable_requests_of_a_damaged_store_are_shown_and_the_damage_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        for number in 1..9 {
            let mut trace = sample::slow();
            trace.id = RequestId::from_u128(number);
            zerver_recorder::import(dir.path(), vec![trace]).unwrap();
        }
        let file = dir.path().join("traces.redb");
        let whole = std::fs::read(&file).unwrap();
        let mut shown = 0;
        // Damages each record of the store, one after another.
        for at in (0..whole.len() - 64).filter(|&at| whole[at..].starts_with(b"zvr1")) {
            let mut bytes = whole.clone();
            bytes[at + 40] ^= 1;
            std::fs::write(&file, bytes).unwrap();
            let source = StoreSource::new(dir.path().to_owned().into());
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
