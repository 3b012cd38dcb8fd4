//! Limits on what clients may use, in size and in time.

use std::collections::BTreeMap;
use std::time::Duration;

/// Limits on what clients may use. None of them can be turned off, except those that accept 0.
///
/// ```
/// use std::time::Duration;
/// use zerver::Limits;
/// let limits = Limits { head: Duration::from_secs(2), ..Limits::default() };
/// assert_eq!(limits.body_bytes, 1024 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Maximum size of the request target (path and query), in bytes. Default: 8 KiB. A longer one is rejected with
    /// 414.
    pub target_bytes: usize,
    /// Maximum size of all header names and values together, in bytes. Default: 32 KiB. More is rejected with 431, as
    /// are more than 100 headers.
    pub header_bytes: usize,
    /// Maximum size of the body, in bytes. Default: 1 MiB. A larger one is rejected with 413.
    pub body_bytes: usize,
    /// Maximum time from the first byte of a request to the end of its head. On a new connection, it starts when the
    /// connection is accepted. Default: 10 s. After that, the connection is closed.
    pub head: Duration,
    /// Maximum time that a connection waits for its next request. Default: 60 s. After that, it is closed.
    pub keep_alive: Duration,
    /// Maximum time from the head to the end of the body. Default: 30 s. After that, the request is rejected with 408.
    pub body: Duration,
    /// Maximum pause within a body. Default: 10 s. After that, the request is rejected with 408.
    pub body_stall: Duration,
    /// Maximum time for which a client may leave a response unread. It restarts with each 16 KiB that the client reads.
    /// Default: 30 s. After that, the connection is closed.
    pub write_stall: Duration,
    /// Maximum time to read a response, however much progress there is. Default: 10 min. After that, the connection is
    /// closed.
    pub write: Duration,
    /// Maximum time for requests in flight to finish when the service stops. Default: 10 s. After that, they are
    /// dropped.
    pub drain: Duration,
    /// Maximum number of open connections. Default: 10,000. More wait in the backlog of the system.
    pub connections: usize,
    /// Maximum number of effects in flight for one request, at least 1. Default: 100. More are queued until others complete; their
    /// time limits start then.
    pub effects: usize,
    /// Maximum number of effects of one kind in flight with the same target, such as `http` requests to one host and
    /// port, for all requests together. Default: 256; 0 means no limit. More are queued, first come, first served, for at
    /// most half of the time until their deadlines; their time limits start when they are admitted. The limit can change
    /// while the service runs.
    pub effects_per_target: usize,
    /// Maximum number of effects of a kind in flight, for all requests together, by the name of the kind: for example,
    /// as many `sql` queries as a database accepts. By default, no kind has a limit; 0 means no limit. More are queued,
    /// as for `effects_per_target`. The limits can change while the service runs.
    pub effects_per_kind: BTreeMap<String, usize>,
    /// Maximum number of requests in flight on one HTTP/2 connection. Default: 128.
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
