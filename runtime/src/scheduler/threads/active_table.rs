//! The requests that run on one thread. When the service stops while a step is stuck, the shutdown code records the
//! request from this table, because the stuck thread cannot.

use std::sync::{Arc, Mutex, PoisonError};

use zerver_engine::{Class, Request, RequestId};
use zerver_trace::{Capture, FlowInfo, Outcome, RecordedBy};

/// Facts about a request that are known before its first step runs.
#[derive(Debug, Clone)]
pub(crate) struct ActiveEntry {
    pub(crate) id: RequestId,
    pub(crate) flow: Arc<FlowInfo>,
    pub(crate) class: Class,
    pub(crate) request: Arc<Request>,
    pub(crate) unix_ns: u64,
    /// Arrival of its head, on the service's clock.
    pub(crate) base_ns: u64,
    pub(crate) seed: u64,
    pub(crate) is_recording_requested: bool,
    /// The worker of its connection.
    pub(crate) worker: Option<u16>,
}

/// The requests of one thread. Each is captured exactly once: by itself if its entry is still here when it ends, or else
/// by the thread that has taken the entry.
#[derive(Debug, Default)]
pub(crate) struct ActiveTable(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    entries: Vec<Option<ActiveEntry>>,
    /// Indexes of free rows. The row of a taken entry is freed only by `remove`.
    free: Vec<usize>,
}

impl ActiveTable {
    /// Adds a request that starts to run on this thread. Returns the index of its row.
    pub(crate) fn insert(&self, entry: ActiveEntry) -> usize {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match rows.free.pop() {
            Some(row) => {
                rows.entries[row] = Some(entry);
                row
            }
            None => {
                rows.entries.push(Some(entry));
                rows.entries.len() - 1
            }
        }
    }

    /// Removes a request that no longer runs on this thread. Returns false if another thread has taken its entry.
    pub(crate) fn remove(&self, row: usize) -> bool {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.free.push(row);
        rows.entries[row].take().is_some()
    }

    /// Returns the worker of the request's connection.
    pub(crate) fn worker_of(&self, id: u128) -> Option<u16> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.entries.iter().flatten().find(|entry| entry.id.as_u128() == id)?.worker
    }

    /// Takes the entry of a request, in order to capture it.
    pub(crate) fn take(&self, id: u128) -> Option<ActiveEntry> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_id =
            |row: &&mut Option<ActiveEntry>| row.as_ref().is_some_and(|entry| entry.id.as_u128() == id);
        rows.entries.iter_mut().find(has_id)?.take()
    }
}

impl ActiveEntry {
    /// Returns the capture of a request that never returned from a step. The steps that ran before are not known here, so
    /// the capture reports dropped events.
    pub(crate) fn lost_in(self, step: u16, now_ns: u64) -> Capture {
        Capture {
            id: self.id,
            flow: self.flow,
            class: self.class,
            started_unix_ns: self.unix_ns,
            duration_ns: now_ns.saturating_sub(self.base_ns),
            seed: self.seed,
            request: self.request,
            response: None,
            status: 0,
            outcome: Outcome::ClientLeft { step },
            events: Vec::new(),
            events_dropped: 1,
            is_recording_requested: self.is_recording_requested,
            worker: self.worker,
            is_undelivered: false,
            recorded_by: RecordedBy::Runtime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u128) -> ActiveEntry {
        ActiveEntry {
            id: RequestId::from_u128(id),
            flow: Arc::default(),
            class: Class::Default,
            request: Arc::new(Request::get("/")),
            unix_ns: 0,
            base_ns: 0,
            seed: 0,
            is_recording_requested: false,
            worker: None,
        }
    }

    #[test]
    fn each_request_is_captured_once() {
        let active_table = ActiveTable::default();
        let [first, second] = [1, 2].map(|id| active_table.insert(entry(id)));
        assert_eq!(active_table.take(1).map(|entry| entry.id), Some(RequestId::from_u128(1)));
        assert!(active_table.take(1).is_none(), "an entry is taken once");
        let third = active_table.insert(entry(3));
        assert!(third != first, "the row of a taken entry stays in use until the request is removed");
        assert!(!active_table.remove(first), "another thread has taken the entry");
        assert!(active_table.remove(second) && active_table.take(2).is_none());
        assert!([first, second].contains(&active_table.insert(entry(4))), "free rows are reused");
        assert!(active_table.remove(third));
    }
}
