//! Account of a session: what the trace says about it.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;
use zerver_engine::{ClosedBy, MessageCount, RecordedMessage, WebSocketEnd};

use super::message::WebSocketMessage;

/// Maximum number of messages that are recorded, and the maximum length of their contents, in bytes: of one, and of all.
const RECORDED_MESSAGES: usize = 64;
const RECORDED_MESSAGE_BYTES: usize = 4 << 10;
const RECORDED_BYTES: usize = 16 << 10;

/// Code for a connection that was lost (RFC 6455, section 7.4.1).
pub(super) const LOST: u16 = 1006;

/// The account of a session, as its tasks share it.
#[derive(Clone)]
pub(super) struct SharedAccount(Arc<Mutex<Account>>);

struct Account {
    began: Instant,
    is_recorded: bool,
    received: Direction,
    sent: Direction,
    first: Vec<RecordedMessage>,
    first_bytes: usize,
    /// Side that closed the session first, its code and its reason.
    close: Option<(ClosedBy, u16, String)>,
}

/// Account of the messages of one direction.
#[derive(Default)]
struct Direction {
    messages: u64,
    bytes: u64,
    hasher: blake3::Hasher,
}

impl SharedAccount {
    /// Creates the account of a session that begins now.
    pub(super) fn new(is_recorded: bool) -> Self {
        Self(Arc::new(Mutex::new(Account {
            began: Instant::now(),
            is_recorded,
            received: Direction::default(),
            sent: Direction::default(),
            first: Vec::new(),
            first_bytes: 0,
            close: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_received(&self, message: &WebSocketMessage) {
        self.lock().add(true, message);
    }

    pub(super) fn add_sent(&self, message: &WebSocketMessage) {
        self.lock().add(false, message);
    }

    /// Notes that the session is being closed. Returns false if it is already.
    pub(super) fn close(&self, by: ClosedBy, code: u16, reason: &str) -> bool {
        let close = &mut self.lock().close;
        let is_first = close.is_none();
        close.get_or_insert_with(|| (by, code, reason.to_owned()));
        is_first
    }

    /// Returns the account of a session that has ended.
    pub(super) fn end(&self) -> WebSocketEnd {
        let account = &mut *self.lock();
        let (closed_by, code, reason) =
            account.close.clone().unwrap_or_else(|| (ClosedBy::Nobody, LOST, String::new()));
        WebSocketEnd {
            received: account.received.count(),
            sent: account.sent.count(),
            closed_by,
            code,
            reason,
            first: account.first.clone(),
        }
    }
}

impl Account {
    fn add(&mut self, is_received: bool, message: &WebSocketMessage) {
        let bytes = message.as_bytes();
        let direction = if is_received { &mut self.received } else { &mut self.sent };
        direction.messages += 1;
        direction.bytes += bytes.len() as u64;
        direction.hasher.update(bytes);
        if !self.is_recorded || self.first.len() == RECORDED_MESSAGES || self.first_bytes == RECORDED_BYTES {
            return;
        }
        let fits = bytes.len() <= RECORDED_MESSAGE_BYTES && self.first_bytes + bytes.len() <= RECORDED_BYTES;
        // What does not fit ends the beginning, so that it has no gaps but those of long messages.
        self.first_bytes = match fits {
            true => self.first_bytes + bytes.len(),
            false if bytes.len() > RECORDED_MESSAGE_BYTES => self.first_bytes,
            false => RECORDED_BYTES,
        };
        if !fits && self.first_bytes == RECORDED_BYTES {
            return;
        }
        self.first.push(RecordedMessage {
            is_received,
            at_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            length: bytes.len() as u64,
            is_text: message.as_text().is_some(),
            content: if fits { content(message) } else { Value::Null },
        });
    }
}

/// Returns the content as it is recorded. JSON is recorded as a value, so that its fields are masked as those of other values.
fn content(message: &WebSocketMessage) -> Value {
    match message {
        WebSocketMessage::Text(text) if text.starts_with(['{', '[']) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
        }
        WebSocketMessage::Text(text) => Value::String(text.clone()),
        WebSocketMessage::Binary(bytes) => {
            let mut hex = String::with_capacity(bytes.len() * 2);
            for byte in bytes {
                let _ = write!(hex, "{byte:02x}");
            }
            Value::String(hex)
        }
    }
}

impl Direction {
    fn count(&self) -> MessageCount {
        let hash = self.hasher.finalize().to_hex()[..32].to_owned();
        MessageCount { messages: self.messages, bytes: self.bytes, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_session_is_bounded() {
        let account = SharedAccount::new(true);
        account.add_received(&r#"{"password":"x"}"#.into());
        account.add_sent(&vec![0, 255].into());
        account.add_sent(&"x".repeat(RECORDED_MESSAGE_BYTES + 1).into());
        for _ in 0..1000 {
            account.add_received(&"y".repeat(1000).into());
        }
        let end = account.end();
        assert_eq!((end.received.messages, end.received.bytes), (1001, 1_000_016));
        assert_eq!((end.sent.messages, end.sent.bytes), (2, 2 + 4097));
        let content: Vec<_> = end.first[..3].iter().map(|message| message.content.to_string()).collect();
        assert_eq!(content, [r#"{"password":"x"}"#, r#""00ff""#, "null"]);
        assert_eq!(end.first.len(), 3 + 16);
        assert_eq!((end.closed_by, end.code), (ClosedBy::Nobody, LOST));
        assert_eq!(end.sent.hash.len(), 32);
    }

    #[test]
    fn many_short_messages_are_bounded_too() {
        let account = SharedAccount::new(true);
        for _ in 0..100 {
            account.add_sent(&"".into());
        }
        assert_eq!(account.end().first.len(), RECORDED_MESSAGES);
        let account = SharedAccount::new(false);
        account.add_sent(&"text".into());
        assert_eq!(account.end().first, []);
    }

    #[test]
    fn the_first_close_counts() {
        let account = SharedAccount::new(true);
        assert!(account.close(ClosedBy::Client, 1001, "gone"));
        assert!(!account.close(ClosedBy::Service, 1000, ""));
        let end = account.end();
        assert_eq!((end.closed_by, end.code, end.reason.as_str()), (ClosedBy::Client, 1001, "gone"));
        assert_eq!(end.summary(), "0 messages received, 0 sent, closed by the client (1001)");
    }
}
