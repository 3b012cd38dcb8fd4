//! Guard that counts a request in flight on a connection.

use std::rc::Rc;
use std::time::Instant;

use super::connection_state::Connection;

/// Counts a request as in flight on its connection until dropped, so that a canceled request is uncounted, too.
pub(crate) struct InFlightGuard {
    pub(crate) conn: Rc<Connection>,
    ended: Option<Instant>,
}

impl InFlightGuard {
    pub(crate) fn begin(conn: &Rc<Connection>) -> Self {
        conn.begin_request();
        Self { conn: Rc::clone(conn), ended: None }
    }

    pub(crate) fn end(mut self, ended: Instant) -> Rc<Connection> {
        self.ended = Some(ended);
        Rc::clone(&self.conn)
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.conn.end_request(self.ended.unwrap_or_else(Instant::now));
    }
}
