//! Reads the store on its own thread: existing requests from the newest to the oldest, and new ones as they are
//! recorded.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zerver_trace::{Cursor, SourceError, TraceSource};

use super::channel::MessageSender;
use crate::message::Message;
use crate::state::Notice;

/// Interval at which the store is polled. A request must appear within 50 ms of its response.
const POLL_INTERVAL: Duration = Duration::from_millis(30);
/// Interval at which the backlog of unhandled pages is checked.
const BACKLOG_POLL_INTERVAL: Duration = Duration::from_millis(4);
/// Delay before an unreadable store is tried again.
const ERROR_RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Consecutive failures before the user is notified.
const MAX_SILENT_FAILURES: u32 = 8;
/// Page sizes: of the first page, which fills the first screen, and of all others.
const FIRST_PAGE: usize = 128;
const PAGE: usize = 4096;

/// Follows a store on its own thread until the UI has ended: sends the existing requests from the newest to the oldest,
/// and new ones as they are recorded.
pub fn follow_store(source: Arc<dyn TraceSource>, sender: MessageSender) {
    thread::spawn(move || {
        let mut follower =
            Follower { source, newest: None, older: None, page: FIRST_PAGE, has_reported_damage: false };
        let mut failures = 0;
        loop {
            let pause = match follower.next() {
                Ok(messages) => {
                    failures = 0;
                    let is_idle = messages.is_empty() && follower.older.is_none();
                    if !messages.into_iter().all(|message| sender.try_send(message)) {
                        return;
                    }
                    if is_idle { POLL_INTERVAL } else { Duration::ZERO }
                }
                Err(error) => {
                    failures += 1;
                    let notice = Notice::error(format!("cannot read requests, see `zerver doctor`: {error}"));
                    if failures == MAX_SILENT_FAILURES && !sender.try_send(Message::Notice(notice)) {
                        return;
                    }
                    ERROR_RETRY_INTERVAL
                }
            };
            if !pause.is_zero() {
                thread::sleep(pause);
            }
            while sender.has_page_backlog() {
                thread::sleep(BACKLOG_POLL_INTERVAL);
            }
        }
    });
}

struct Follower {
    source: Arc<dyn TraceSource>,
    /// Position up to which new requests were read; `None` before the first read.
    newest: Option<Cursor>,
    /// Position before which older requests remain to be read.
    older: Option<Cursor>,
    page: usize,
    /// True if unreadable requests were already reported.
    has_reported_damage: bool,
}

impl Follower {
    /// Reads the new requests, and one page of older ones.
    fn next(&mut self) -> Result<Vec<Message>, SourceError> {
        let newest = match self.newest {
            Some(newest) => newest,
            None => {
                let newest = self.source.end()?;
                (self.newest, self.older) = (Some(newest), Some(newest));
                newest
            }
        };
        let mut messages = Vec::new();
        let (requests, reached) = self.source.list_since(newest, PAGE)?;
        self.newest = Some(reached);
        if !requests.is_empty() {
            messages.push(Message::NewRequests(requests));
        }
        if let Some(cursor) = self.older {
            let (requests, rest) = self.source.list_before(cursor, self.page)?;
            self.older = rest;
            self.page = PAGE;
            messages.push(Message::OlderRequests { requests, is_last: rest.is_none() });
        }
        if let Some(why) = self.source.damage().filter(|_| !self.has_reported_damage) {
            self.has_reported_damage = true;
            messages.push(Message::Notice(Notice::error(format!(
                "some requests are unreadable, see `zerver doctor`: {why}"
            ))));
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Query, RequestId, Summary, Trace};

    use super::*;

    /// A store with unreadable requests.
    struct Damaged;

    impl TraceSource for Damaged {
        fn list(&self, _: &Query) -> Result<Vec<Summary>, SourceError> {
            Ok(Vec::new())
        }

        fn load(&self, _: RequestId) -> Result<Option<Trace>, SourceError> {
            Ok(None)
        }

        fn end(&self) -> Result<Cursor, SourceError> {
            Ok(Cursor { block: 3, seen: 1 })
        }

        fn list_before(&self, _: Cursor, _: usize) -> Result<(Vec<Summary>, Option<Cursor>), SourceError> {
            Ok((vec![crate::tests::three()[0].summary()], None))
        }

        fn list_since(&self, cursor: Cursor, _: usize) -> Result<(Vec<Summary>, Cursor), SourceError> {
            Ok((Vec::new(), cursor))
        }

        fn damage(&self) -> Option<String> {
            Some("block 2 is damaged".to_owned())
        }
    }

    #[test]
    fn unreadable_requests_are_reported_once() {
        let mut follower = Follower {
            source: Arc::new(Damaged),
            newest: None,
            older: None,
            page: FIRST_PAGE,
            has_reported_damage: false,
        };
        let messages = follower.next().unwrap();
        assert!(
            matches!(&messages[0], Message::OlderRequests { requests, is_last: true } if requests.len() == 1)
        );
        let Message::Notice(notice) = &messages[1] else { panic!("{messages:?}") };
        assert!(notice.is_error() && notice.text.contains("`zerver doctor`: block 2"), "{notice:?}");
        assert!(follower.next().unwrap().is_empty());
    }
}
