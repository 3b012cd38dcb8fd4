//! Limits of the HTTP shell: how much, and how long.

use std::collections::BTreeMap;
use std::time::Duration;

/// What clients may use up. Every one of them has a limit.
///
/// ```
/// use std::time::Duration;
/// use zerver::Limits;
/// let limits = Limits { head: Duration::from_secs(2), ..Limits::default() };
/// assert_eq!(limits.body_bytes, 1024 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The request target, path and query: 8 KiB. Longer ones get a 414.
    pub target_bytes: usize,
    /// All header names and values together: 32 KiB. More gets a 431, as do more than 100 headers.
    pub header_bytes: usize,
    /// The body: 1 MiB. Larger ones get a 413.
    pub body_bytes: usize,
    /// From the first byte of a request (on a new connection: from its acceptance) to the end of the head: 10 s. Then
    /// the connection is closed.
    pub head: Duration,
    /// How long a connection may wait for its next request: 60 s. Then it is closed.
    pub keep_alive: Duration,
    /// From the head to the end of the body: 30 s. Then the request gets a 408.
    pub body: Duration,
    /// The longest pause within a body: 10 s. Then the request gets a 408.
    pub body_stall: Duration,
    /// How long a client may leave an answer unread; 16 KiB of progress begin a new period: 30 s. Then the connection
    /// is closed.
    pub write_stall: Duration,
    /// How long an answer may take to be read in all, however much progress there is: 10 min. Then the connection is closed.
    pub write: Duration,
    /// How long requests in flight may take to finish when the service stops: 10 s. Then they are dropped.
    pub drain: Duration,
    /// Open connections: 10,000. More wait in the system's backlog.
    pub connections: usize,
    /// Effects in flight for one request: 100. More wait until others have ended; their time limits begin then.
    pub effects: usize,
    /// Effects of one kind in flight that ask the same target, such as `http` requests to one host and port, for all
    /// requests together: 256; 0 means any number. More wait until others have ended, and who came first goes first;
    /// their time limits begin then. It can change while the service runs.
    pub effects_per_target: usize,
    /// Effects of one kind in flight, for all requests together, by the name of the kind: as many `sql` queries as a
    /// database takes, say. None are named; 0 means any number. More wait as for `effects_per_target`. It can change while the
    /// service runs.
    pub effects_per_kind: BTreeMap<String, usize>,
    /// Requests in flight on one HTTP/2 connection: 128.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            target_bytes: 8 * 1024,
            header_bytes: 32 * 1024,
            body_bytes: 1024 * 1024,
            head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            body: Duration::from_secs(30),
            body_stall: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            write: Duration::from_secs(600),
            drain: Duration::from_secs(10),
            connections: 10_000,
            effects: 100,
            effects_per_target: 256,
            effects_per_kind: BTreeMap::new(),
            streams: 128,
        }
    }
}
