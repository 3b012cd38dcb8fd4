//! Follows the store while another process writes to it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zerver_recorder::{Cursor, ReadError, Reader};
use zerver_trace::{Query, RequestId, Summary};

use crate::locate;

/// How often the store is asked for news. A trace is to be seen within 50 ms of its response.
const PAUSE: Duration = Duration::from_millis(30);
/// How often a store that cannot be read is tried again.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(250);
/// So many failures one after another are worth a word.
const FAILURES: u32 = 20;

/// What a follower tells.
pub(super) enum News {
    /// Requests, the oldest first, and how many digits of its id name each of them.
    Requests(Vec<Summary>, usize),
    /// The store cannot be read for some time.
    Unreadable(ReadError),
}

/// Follows a store on a thread of its own.
pub(super) struct Follower {
    thread: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    is_anew: Arc<AtomicBool>,
}

impl Follower {
    /// Tells of every request that began at `since_unix_ns` or later.
    pub(super) fn start(dir: PathBuf, since_unix_ns: u64, tell: impl Fn(News) + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let is_anew = Arc::new(AtomicBool::new(false));
        let (over, anew) = (Arc::clone(&is_over), Arc::clone(&is_anew));
        let thread = thread::spawn(move || {
            let mut place = Place { dir, since_unix_ns, reader: None, cursor: None, known: HashSet::new() };
            let mut failures = 0;
            loop {
                // What was written before the end was called is still told.
                let is_last = over.load(Ordering::Acquire);
                if anew.swap(false, Ordering::AcqRel) {
                    place.reader = None;
                }
                let pause = match place.news() {
                    Ok(requests) => {
                        failures = 0;
                        if !requests.is_empty() {
                            let digits = place.digits(&requests);
                            tell(News::Requests(requests, digits));
                        }
                        PAUSE
                    }
                    // The service has not made it yet.
                    Err(ReadError::Missing { .. }) => PAUSE,
                    Err(error) => {
                        failures += 1;
                        if failures == FAILURES {
                            tell(News::Unreadable(error));
                        }
                        PAUSE_AFTER_ERROR
                    }
                };
                if is_last {
                    return;
                }
                thread::park_timeout(pause);
            }
        });
        Self { thread: Some(thread), is_over, is_anew }
    }

    /// Opens the store anew: a service that starts may have made another one in its place.
    pub(super) fn reopen(&self) {
        self.is_anew.store(true, Ordering::Release);
    }

    /// Looks a last time, and ends.
    pub(super) fn finish(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It ends by itself, and has no result to lose.
            let _ = thread.join();
        }
    }
}

struct Place {
    dir: PathBuf,
    since_unix_ns: u64,
    reader: Option<Reader>,
    cursor: Option<Cursor>,
    /// What was told before there was a cursor, and may come again.
    known: HashSet<RequestId>,
}

impl Place {
    fn digits(&self, requests: &[Summary]) -> usize {
        let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
        self.reader.as_ref().map_or(32, |reader| locate::digits(reader, &ids))
    }

    fn news(&mut self) -> Result<Vec<Summary>, ReadError> {
        let reader = match self.reader.take().filter(Reader::is_in_place) {
            Some(reader) => reader,
            None => self.open()?,
        };
        let Some(cursor) = self.cursor else { return self.first(reader) };
        let (mut requests, next) = reader.since(cursor)?;
        self.reader = Some(reader);
        self.cursor = Some(next);
        requests.retain(|request| {
            request.started_unix_ns >= self.since_unix_ns && !self.known.remove(&request.id)
        });
        Ok(requests)
    }

    /// Opens the store; where it is another one than before, all of it is new.
    fn open(&mut self) -> Result<Reader, ReadError> {
        let reader = Reader::open(&self.dir)?;
        if let Some(cursor) = self.cursor
            && reader.newest()? < cursor
        {
            self.cursor = Some(Reader::oldest());
        }
        Ok(reader)
    }

    fn first(&mut self, reader: Reader) -> Result<Vec<Summary>, ReadError> {
        let cursor = reader.newest()?;
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
    use crate::sample;

    #[test]
    fn each_request_is_told_once_from_a_store_that_comes_later() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join(".zerver");
        let (tell, told) = mpsc::channel();
        let mut follower = Follower::start(store.clone(), 0, move |news| {
            let News::Requests(requests, _) = news else { panic!("the store could not be read") };
            let _ = tell.send(requests.into_iter().map(|request| request.id.as_u128()).collect::<Vec<_>>());
        });
        let numbered = |number| {
            let mut trace = sample::slow();
            trace.id = RequestId::from_u128(number);
            trace
        };
        for number in 1..6 {
            if number == 4 {
                // Somebody removed the store, and the next service made a new one.
                std::fs::remove_dir_all(&store).unwrap();
                follower.reopen();
            }
            zerver_recorder::import(&store, vec![numbered(number)]).unwrap();
            assert_eq!(told.recv_timeout(Duration::from_secs(120)).unwrap(), [number]);
        }
        zerver_recorder::import(&store, vec![numbered(9)]).unwrap();
        follower.finish();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [[9]], "what came last is told before the end");
    }
}
