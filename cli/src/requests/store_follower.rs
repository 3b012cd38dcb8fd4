//! Follows the store while another process writes to it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zerver_recorder::{Cursor, NodeId, ReadError, Reader};
use zerver_trace::{Query, RequestId, Summary, TraceView as _};

use crate::locate;
use crate::store_place::StorePlace;

/// Interval between two reads of the store. A trace appears within 50 ms of its response.
const POLL_INTERVAL: Duration = Duration::from_millis(30);
/// Interval between two reads of a fleet, which is on the other side of a network.
const FLEET_INTERVAL: Duration = Duration::from_millis(500);
/// Interval between two attempts to read a store that cannot be read.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Number of consecutive failures after which they are reported.
const REPORTED_FAILURES: u32 = 20;

/// News from the store.
pub(crate) enum News {
    /// Requests, oldest first, the number of digits that identify each of them, and the nodes of a fleet that recorded them.
    Requests(Vec<Summary>, usize, HashMap<RequestId, NodeId>),
    /// The store has been unreadable for some time.
    Unreadable(ReadError),
}

/// Follows a store on another thread.
pub(crate) struct StoreFollower {
    thread: Option<JoinHandle<()>>,
    is_finishing: Arc<AtomicBool>,
    is_replaced: Arc<AtomicBool>,
}

impl StoreFollower {
    /// Reports every request that began at `since_unix_ns` or later.
    pub(crate) fn start(
        place: StorePlace,
        since_unix_ns: u64,
        report: impl Fn(News) + Send + 'static,
    ) -> Self {
        let (reader, cursor, known) = (None, None, HashSet::new());
        Self::follow(Followed { place, since_unix_ns, reader, cursor, known }, report)
    }

    /// Reports every request recorded after a position of an open store, except those that are known already.
    pub(crate) fn resume(
        place: StorePlace,
        (reader, cursor): (Reader, Cursor),
        known: HashSet<RequestId>,
        report: impl Fn(News) + Send + 'static,
    ) -> Self {
        let (reader, cursor) = (Some(reader), Some(cursor));
        Self::follow(Followed { place, since_unix_ns: 0, reader, cursor, known }, report)
    }

    fn follow(mut state: Followed, report: impl Fn(News) + Send + 'static) -> Self {
        let is_finishing = Arc::new(AtomicBool::new(false));
        let is_replaced = Arc::new(AtomicBool::new(false));
        let (finishing, replaced) = (Arc::clone(&is_finishing), Arc::clone(&is_replaced));
        let thread = thread::spawn(move || {
            let mut failures = 0;
            let interval = if state.place.folder().is_some() { POLL_INTERVAL } else { FLEET_INTERVAL };
            loop {
                // Requests written before the call of `finish` are still reported.
                let is_last = finishing.load(Ordering::Acquire);
                if replaced.swap(false, Ordering::AcqRel) {
                    state.reader = None;
                }
                let pause = match state.news() {
                    Ok(requests) => {
                        failures = 0;
                        if !requests.is_empty() {
                            let (digits, nodes) = (state.digits(&requests), state.nodes(&requests));
                            report(News::Requests(requests, digits, nodes));
                        }
                        interval
                    }
                    // The service has not created it yet.
                    Err(ReadError::Missing { .. }) => POLL_INTERVAL,
                    Err(error) => {
                        failures += 1;
                        if failures == REPORTED_FAILURES {
                            report(News::Unreadable(error));
                        }
                        RETRY_INTERVAL
                    }
                };
                if is_last {
                    return;
                }
                thread::park_timeout(pause);
            }
        });
        Self { thread: Some(thread), is_finishing, is_replaced }
    }

    /// Reopens the store: a service that starts may have replaced it.
    pub(crate) fn reopen(&self) {
        self.is_replaced.store(true, Ordering::Release);
    }

    /// Reports the last requests, and ends.
    pub(crate) fn finish(&mut self) {
        self.is_finishing.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread has no result.
            let _ = thread.join();
        }
    }
}

/// A store, and how far it has been read.
struct Followed {
    place: StorePlace,
    since_unix_ns: u64,
    reader: Option<Reader>,
    cursor: Option<Cursor>,
    /// Requests reported before there was a cursor, which may come again.
    known: HashSet<RequestId>,
}

impl Followed {
    fn digits(&self, requests: &[Summary]) -> usize {
        let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
        self.reader.as_ref().map_or(32, |reader| locate::unique_digits(reader, &ids))
    }

    /// Returns the nodes that recorded requests, if the store is a fleet.
    fn nodes(&self, requests: &[Summary]) -> HashMap<RequestId, NodeId> {
        let mut nodes = HashMap::new();
        let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
        if let Some(reader) = self.reader.as_ref().filter(|reader| reader.dir().is_none()) {
            // A request without a node is reported all the same.
            let _ = reader.visit_ids(&ids, |request| {
                nodes.extend(request.node().map(|node| (request.summary().id, node)));
                std::ops::ControlFlow::Continue(())
            });
        }
        nodes
    }

    fn news(&mut self) -> Result<Vec<Summary>, ReadError> {
        let reader = match self.reader.take().filter(Reader::is_in_place) {
            Some(reader) => reader,
            None => self.open()?,
        };
        let Some(cursor) = self.cursor else { return self.first(reader) };
        let found = reader.list_since(cursor);
        // A fleet connects again by itself, and keeps the positions that the cursor names.
        if found.is_ok() || reader.dir().is_none() {
            self.reader = Some(reader);
        }
        let (mut requests, next) = found?;
        self.cursor = Some(next);
        requests.retain(|request| {
            request.started_unix_ns >= self.since_unix_ns && !self.known.remove(&request.id)
        });
        Ok(requests)
    }

    /// Opens the store. If it is another one than before, everything in it is new.
    fn open(&mut self) -> Result<Reader, ReadError> {
        let reader = self.place.open()?;
        if let Some(cursor) = self.cursor
            && reader.end()? < cursor
        {
            self.cursor = Some(Reader::start());
        }
        Ok(reader)
    }

    fn first(&mut self, reader: Reader) -> Result<Vec<Summary>, ReadError> {
        let cursor = reader.end()?;
        let query = Query { since_unix_ns: Some(self.since_unix_ns), ..Query::default() };
        let mut requests = reader.list(&query)?;
        requests.reverse();
        self.known = requests.iter().map(|request| request.id).collect();
        (self.reader, self.cursor) = (Some(reader), Some(cursor));
        Ok(requests)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use zerver_testkit::sample;

    #[test]
    fn each_request_is_reported_once_from_a_store_that_is_created_later() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join(".zerver");
        let (sender, reported) = mpsc::channel();
        let mut follower = StoreFollower::start(store.clone().into(), 0, move |news| {
            let News::Requests(requests, ..) = news else { panic!("the store could not be read") };
            let _ = sender.send(requests.into_iter().map(|request| request.id.as_u128()).collect::<Vec<_>>());
        });
        let numbered = |number| {
            let mut trace = sample::slow();
            trace.id = RequestId::from_u128(number);
            trace
        };
        for number in 1..6 {
            if number == 4 {
                // The store was removed, and the next service created a new one.
                std::fs::remove_dir_all(&store).unwrap();
                follower.reopen();
            }
            zerver_recorder::import(&store, vec![numbered(number)]).unwrap();
            assert_eq!(reported.recv_timeout(Duration::from_secs(120)).unwrap(), [number]);
        }
        zerver_recorder::import(&store, vec![numbered(9)]).unwrap();
        follower.finish();
        assert_eq!(
            reported.try_iter().collect::<Vec<_>>(),
            [[9]],
            "the last request is reported before the end"
        );
    }
}
