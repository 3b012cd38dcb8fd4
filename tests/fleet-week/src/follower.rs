//! Readers that follow a place while services ship to it.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use zerver_fleet::{FleetBlocks, FleetUrl};
use zerver_recorder::{Cursor, ReadError, Reader};

use crate::limits::{PATIENCE, POLL, Result};
use crate::pod::AcceptTimes;
use crate::seen::Seen;
use crate::traffic::Request;

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// Requests that are read at once.
const PAGE: usize = 5_000;

/// The requests that a follower has seen.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    pub(crate) seen: Seen,
    /// Times from the acceptance of a request until it was seen.
    pub(crate) lags: Vec<Duration>,
    pub(crate) findings: Vec<String>,
}

/// A thread that follows a place.
#[derive(Debug)]
pub(crate) struct Follower {
    name: String,
    state: Arc<Mutex<Followed>>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts to follow from the first request on, or from the present ones. `reopens` has it connect again each time, with
    /// the position that it has reached. With times, it looks only for the requests that have one.
    pub(crate) fn start(
        name: &str,
        url: &FleetUrl,
        from_start: bool,
        reopens: bool,
        times: Option<AcceptTimes>,
    ) -> Result<Self> {
        let reader = open(url)?;
        let cursor = if from_start { Reader::start() } else { reader.end()? };
        let state = Arc::new(Mutex::new(Followed::default()));
        let (stop, stopped) = mpsc::channel();
        let (url, of_thread) = (url.clone(), Arc::clone(&state));
        let thread = thread::Builder::new().name("fleet-follower".to_owned()).spawn(move || {
            let (mut reader, mut cursor) = (Some(reader), cursor);
            while stopped.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                if reopens || reader.is_none() {
                    reader = open(&url).ok();
                }
                // A server that is down is asked again.
                let Some(reader) = &reader else { continue };
                while let Ok((next, is_all)) = look(reader, cursor, &of_thread, times.as_ref()) {
                    cursor = next;
                    if is_all {
                        break;
                    }
                }
            }
        })?;
        Ok(Self { name: name.to_owned(), state, stop: Some(stop), thread: Some(thread) })
    }

    /// Waits until this many requests were seen, and ends.
    pub(crate) fn finish(mut self, wanted: u64) -> Followed {
        let until = Instant::now() + PATIENCE;
        let count = || self.state.lock().unwrap_or_else(PoisonError::into_inner).seen.count();
        while count() < wanted && Instant::now() < until {
            thread::park_timeout(POLL);
        }
        self.end();
        let mut followed = std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner));
        if followed.seen.twice() > 0 {
            followed.findings.push(format!("{} saw {} requests twice", self.name, followed.seen.twice()));
        }
        followed
    }

    fn end(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) fn open(url: &FleetUrl) -> std::result::Result<Reader, ReadError> {
    Ok(Reader::of(Box::new(FleetBlocks::open(url)?)))
}

/// Reads what is new. Returns the position after it, and true if nothing is left.
fn look(
    reader: &Reader,
    cursor: Cursor,
    state: &Mutex<Followed>,
    times: Option<&AcceptTimes>,
) -> std::result::Result<(Cursor, bool), ()> {
    let found = reader.list_since_at_most(cursor, PAGE);
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let (summaries, next) = match found {
        Ok(found) => found,
        Err(ReadError::Fleet { .. }) => return Err(()),
        Err(error) => {
            state.findings.push(format!("a follower cannot read: {error}"));
            return Err(());
        }
    };
    let is_all = summaries.len() < PAGE;
    for summary in summaries {
        match Request::of(summary.id) {
            Some(request) => {
                let Some(times) = times else {
                    state.seen.add(request);
                    continue;
                };
                let times = times.lock().unwrap_or_else(PoisonError::into_inner);
                // Others may arrive late.
                if let Some(at) = times.get(&(request.pod, request.n)) {
                    state.lags.push(at.elapsed());
                    state.seen.add(request);
                }
            }
            None => state.findings.push(format!("a follower saw {}, which nothing recorded", summary.id)),
        }
    }
    Ok((next, is_all))
}
