//! Which requests a thread has, for whoever stops the service while one of them hangs: nothing else of it can be had from
//! that thread then.

use std::sync::{Arc, Mutex, PoisonError};

use zerver_engine::{Class, Request, RequestId};
use zerver_trace::{Capture, FlowInfo, Outcome};

/// What is known of a request before any of its steps has run.
#[derive(Debug, Clone)]
pub(crate) struct ActiveEntry {
    pub(crate) id: RequestId,
    pub(crate) flow: Arc<FlowInfo>,
    pub(crate) class: Class,
    pub(crate) request: Arc<Request>,
    pub(crate) unix_ns: u64,
    /// When its head arrived, on the service's clock.
    pub(crate) base_ns: u64,
    pub(crate) seed: u64,
    pub(crate) asked: bool,
    /// The worker of its connection.
    pub(crate) worker: Option<u16>,
}

/// The requests of one thread. Each is told of once: by itself, where it is still here when it ends, or by whoever has taken
/// it from here.
#[derive(Debug, Default)]
pub(crate) struct ActiveTable(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    all: Vec<Option<ActiveEntry>>,
    free: Vec<usize>,
}

impl ActiveTable {
    /// It begins to run here; what it is called from now on.
    pub(crate) fn insert(&self, entry: ActiveEntry) -> usize {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match rows.free.pop() {
            Some(at) => {
                rows.all[at] = Some(entry);
                at
            }
            None => {
                rows.all.push(Some(entry));
                rows.all.len() - 1
            }
        }
    }

    /// It runs here no longer; whether nobody has taken it.
    pub(crate) fn remove(&self, at: usize) -> bool {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.free.push(at);
        rows.all[at].take().is_some()
    }

    /// The worker of the connection of one.
    pub(crate) fn worker_of(&self, id: u128) -> Option<u16> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.all.iter().flatten().find(|one| one.id.as_u128() == id)?.worker
    }

    /// Takes one, to tell of it.
    pub(crate) fn take(&self, id: u128) -> Option<ActiveEntry> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_id = |row: &&mut Option<ActiveEntry>| row.as_ref().is_some_and(|one| one.id.as_u128() == id);
        rows.all.iter_mut().find(has_id)?.take()
    }
}

impl ActiveEntry {
    /// What is left of it: that it never came back from a step. Which steps ran before is not known here, and the trace
    /// says that events are missing.
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
            outcome: Outcome::Gone { step },
            events: Vec::new(),
            events_dropped: 1,
            is_recording_requested: self.asked,
            worker: self.worker,
            is_undelivered: false,
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
            asked: false,
            worker: None,
        }
    }

    #[test]
    fn each_is_told_of_once() {
        let active_table = ActiveTable::default();
        let [first, second] = [1, 2].map(|id| active_table.insert(entry(id)));
        assert_eq!(active_table.take(1).map(|one| one.id), Some(RequestId::from_u128(1)));
        assert!(active_table.take(1).is_none(), "it is taken once");
        let third = active_table.insert(entry(3));
        assert!(third != first, "its place is its own until it has left");
        assert!(!active_table.remove(first), "somebody else has told of it");
        assert!(active_table.remove(second) && active_table.take(2).is_none());
        assert!([first, second].contains(&active_table.insert(entry(4))), "places are used again");
        assert!(active_table.remove(third));
    }
}
