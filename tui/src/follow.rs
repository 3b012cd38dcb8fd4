//! Reads the source on a thread of its own: what there is, the newest first, and what comes.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zerver_trace::{Cursor, SourceError, TraceSource};

use crate::message::{Message, Notice};
use crate::run::Remote;

/// How often the source is asked for news. A request is to be seen within 50 ms of its response.
const PAUSE: Duration = Duration::from_millis(30);
/// How often we look whether what was read has been taken.
const PAUSE_AFTER_PAGES: Duration = Duration::from_millis(4);
/// How often a source that cannot be read is tried again.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(250);
/// So many failures one after another are worth a word.
const FAILURES: u32 = 8;
/// A page of the first screen, and of what follows.
const FIRST_PAGE: usize = 128;
const PAGE: usize = 4096;

/// Follows a source on a thread of its own until nobody listens: sends what there is, the newest first, and what comes.
pub fn follow(source: Arc<dyn TraceSource>, remote: Remote) {
    thread::spawn(move || {
        let mut reading = Reading { source, newest: None, older: None, page: FIRST_PAGE, told: false };
        let mut failures = 0;
        loop {
            let pause = match reading.next() {
                Ok(messages) => {
                    failures = 0;
                    let is_idle = messages.is_empty() && reading.older.is_none();
                    if !messages.into_iter().all(|message| remote.is_heard(message)) {
                        return;
                    }
                    if is_idle { PAUSE } else { Duration::ZERO }
                }
                Err(error) => {
                    failures += 1;
                    let notice =
                        Notice::bad(format!("requests cannot be read, see `zerver doctor`: {error}"));
                    if failures == FAILURES && !remote.is_heard(Message::Notice(notice)) {
                        return;
                    }
                    PAUSE_AFTER_ERROR
                }
            };
            if !pause.is_zero() {
                thread::sleep(pause);
            }
            while remote.has_pages() {
                thread::sleep(PAUSE_AFTER_PAGES);
            }
        }
    });
}

struct Reading {
    source: Arc<dyn TraceSource>,
    /// How far the news have been read; none before the first look.
    newest: Option<Cursor>,
    /// Where what is older ends that has not been read yet.
    older: Option<Cursor>,
    page: usize,
    /// Whether it was told that some cannot be read.
    told: bool,
}

impl Reading {
    /// What has come, and one page of what is older.
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
            messages.push(Message::Newer(requests));
        }
        if let Some(cursor) = self.older {
            let (requests, rest) = self.source.list_before(cursor, self.page)?;
            self.older = rest;
            self.page = PAGE;
            messages.push(Message::Older { requests, is_last: rest.is_none() });
        }
        if let Some(why) = self.source.damage().filter(|_| !self.told) {
            self.told = true;
            messages.push(Message::Notice(Notice::bad(format!(
                "some requests cannot be read, see `zerver doctor`: {why}"
            ))));
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Query, RequestId, Summary, Trace};

    use super::*;

    /// A source that cannot read some of what it has.
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
    fn what_is_readable_is_shown_and_that_some_is_not_is_told_once() {
        let mut reading =
            Reading { source: Arc::new(Damaged), newest: None, older: None, page: FIRST_PAGE, told: false };
        let messages = reading.next().unwrap();
        assert!(matches!(&messages[0], Message::Older { requests, is_last: true } if requests.len() == 1));
        let Message::Notice(notice) = &messages[1] else { panic!("{messages:?}") };
        assert!(notice.is_bad && notice.text.contains("`zerver doctor`: block 2"), "{notice:?}");
        assert!(reading.next().unwrap().is_empty());
    }
}
