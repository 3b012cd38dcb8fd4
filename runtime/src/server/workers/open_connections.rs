//! The open connections of one worker, and its requests from other servers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::http::Connection;

/// The open connections of one worker, by number, and the number of requests that have none.
#[derive(Default)]
pub(crate) struct OpenConnections {
    all: RefCell<BTreeMap<u64, Rc<Connection>>>,
    next: Cell<u64>,
    /// Requests in flight that another server has received.
    mounted: Cell<u32>,
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
        self.all.borrow_mut().remove(&number);
        self.notify_if_empty();
    }

    pub(crate) fn add_mounted(&self) {
        self.mounted.update(|mounted| mounted + 1);
    }

    pub(crate) fn remove_mounted(&self) {
        self.mounted.update(|mounted| mounted - 1);
        self.notify_if_empty();
    }

    fn notify_if_empty(&self) {
        if self.is_empty() {
            self.empty.notify_one();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mounted.get() == 0 && self.all.borrow().is_empty()
    }

    /// Waits until nothing is left.
    pub(crate) async fn emptied(&self) {
        self.empty.notified().await;
    }

    /// Wakes all connections, so that each checks the drain stage.
    pub(crate) fn wake_all(&self) {
        for conn in self.all.borrow().values() {
            conn.wake();
        }
    }

    /// Number of requests in flight.
    pub(crate) fn in_flight(&self) -> u32 {
        self.mounted.get() + self.all.borrow().values().map(|conn| conn.in_flight()).sum::<u32>()
    }
}
