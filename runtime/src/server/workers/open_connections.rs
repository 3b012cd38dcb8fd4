//! The open connections of one worker.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::http::Connection;

/// The open connections of one worker, by number.
#[derive(Default)]
pub(crate) struct OpenConnections {
    all: RefCell<BTreeMap<u64, Rc<Connection>>>,
    next: Cell<u64>,
    empty: Notify,
}

impl OpenConnections {
    /// Adds a connection, and returns its number.
    pub(crate) fn add(&self, conn: Rc<Connection>) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        self.all.borrow_mut().insert(number, conn);
        number
    }

    pub(crate) fn remove(&self, number: u64) {
        let mut all = self.all.borrow_mut();
        all.remove(&number);
        if all.is_empty() {
            self.empty.notify_one();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.borrow().is_empty()
    }

    /// Waits until the last connection has been removed.
    pub(crate) async fn emptied(&self) {
        self.empty.notified().await;
    }

    /// Wakes all connections, so that each checks the drain stage.
    pub(crate) fn wake_all(&self) {
        for conn in self.all.borrow().values() {
            conn.wake();
        }
    }

    /// Number of requests in flight on all connections.
    pub(crate) fn in_flight(&self) -> u32 {
        self.all.borrow().values().map(|conn| conn.in_flight()).sum()
    }
}
