//! Server-sent events (WHATWG HTML, section 9.2), and the header with which a client continues.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::item::{StreamFormat, StreamItem};
use crate::Request;

/// An event for a client that listens with `EventSource`.
///
/// ```
/// use zerver_engine::{ServerEvent, StreamItem};
///
/// let event = ServerEvent::new("two\nlines").name("note").id("7");
/// assert_eq!(event.into_bytes().unwrap(), "event: note\nid: 7\ndata: two\ndata: lines\n\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct ServerEvent {
    data: Option<String>,
    name: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
    comment: Option<String>,
}

impl ServerEvent {
    /// Creates an event with this data, which may have several lines.
    pub fn new(data: impl Into<String>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }

    /// Creates an event with this value as JSON.
    ///
    /// # Errors
    /// If the value does not serialize.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::new)
    }

    /// Creates a comment, which clients ignore.
    pub fn comment(text: impl Into<String>) -> Self {
        Self { comment: Some(text.into()), ..Self::default() }
    }

    /// Sets the name of the event. Without one, it is `message`. Line ends in it are left out.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Sets the id that the client sends as `Last-Event-ID` when it reconnects. Line ends in it, and the character U+0000, are
    /// left out.
    pub fn id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// Sets the time after which the client reconnects when the connection is lost.
    pub fn retry(self, after: Duration) -> Self {
        Self { retry: Some(after), ..self }
    }
}

impl StreamItem for ServerEvent {
    const FORMAT: StreamFormat = StreamFormat { content_type: "text/event-stream", is_endless: true };

    fn into_bytes(self) -> Result<Bytes, serde_json::Error> {
        let mut text = String::new();
        for line in self.comment.iter().flat_map(|comment| lines(comment)) {
            field(&mut text, "", line);
        }
        if let Some(name) = &self.name {
            field(&mut text, "event", &one_line(name));
        }
        if let Some(id) = &self.id {
            field(&mut text, "id", &one_line(id).replace('\0', ""));
        }
        if let Some(retry) = self.retry {
            field(&mut text, "retry", &retry.as_millis().to_string());
        }
        for line in self.data.iter().flat_map(|data| lines(data)) {
            field(&mut text, "data", line);
        }
        if !text.is_empty() {
            text.push('\n');
        }
        Ok(text.into())
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str(": ");
    text.push_str(value);
    text.push('\n');
}

/// Splits at each line end that the format knows: LF, CR, and both together.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let Some(end) = current.find(['\n', '\r']) else { return rest.take() };
        let (line, after) = current.split_at(end);
        rest = Some(after.strip_prefix("\r\n").unwrap_or(&after[1..]));
        Some(line)
    })
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], "")
}

impl Request {
    /// Returns the header `Last-Event-ID`: the id of the last event that a client has received, with which it continues a stream
    /// of [`ServerEvent`]s. It comes from the client, so it may be anything.
    pub fn last_event_id(&self) -> Option<&str> {
        let value = self.headers.get("last-event-id")?;
        str::from_utf8(value.as_bytes()).ok().filter(|id| !id.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(event: ServerEvent) -> String {
        String::from_utf8(event.into_bytes().unwrap().to_vec()).unwrap()
    }

    /// Parses a stream as the standard prescribes (section 9.2.6). Returns the name, the data and the last id of each event.
    fn received(stream: &str) -> Vec<(String, String, String)> {
        let (mut events, mut last_id) = (Vec::new(), String::new());
        let (mut name, mut data) = (String::new(), String::new());
        let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
        let Some((complete, _)) = stream.rsplit_once('\n') else { return events };
        for line in complete.split('\n') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match (line, field) {
                ("", _) => {
                    if let Some(data) = data.strip_suffix('\n') {
                        let named = if name.is_empty() { "message" } else { &name };
                        events.push((named.to_owned(), data.to_owned(), last_id.clone()));
                    }
                    (name, data) = Default::default();
                }
                (_, "event") => value.clone_into(&mut name),
                (_, "data") => data.extend([value, "\n"]),
                (_, "id") if !value.contains('\0') => value.clone_into(&mut last_id),
                _ => {}
            }
        }
        events
    }

    #[test]
    fn the_examples_of_the_standard() {
        let stock = ServerEvent::new("YHOO\n+2\n10");
        assert_eq!(sent(stock), "data: YHOO\ndata: +2\ndata: 10\n\n");
        assert_eq!(sent(ServerEvent::comment("test stream")), ": test stream\n\n");
        assert_eq!(sent(ServerEvent::new("")), "data: \n\n");
        assert_eq!(sent(ServerEvent::new("a").retry(Duration::from_secs(10))), "retry: 10000\ndata: a\n\n");
        assert_eq!(sent(ServerEvent::new("first event").id("1")), "id: 1\ndata: first event\n\n");
        // An empty id resets that of the client.
        assert_eq!(sent(ServerEvent::new("second event").id("")), "id: \ndata: second event\n\n");
        assert_eq!(sent(ServerEvent::default()), "");
    }

    #[test]
    fn nothing_in_an_event_begins_another_one() {
        let event = ServerEvent::new("a\r\n\r\ndata: b\rid: 9").name("x\ndata: c").id("1\r\n\0\nid: 2");
        assert_eq!(
            received(&sent(event)),
            [("xdata: c".into(), "a\n\ndata: b\nid: 9".into(), "1id: 2".into())]
        );
        assert_eq!(received(&sent(ServerEvent::comment("a\n\ndata: b\n\n"))), []);
    }

    proptest! {
        #[test]
        fn a_client_receives_what_was_sent(
            events in prop::collection::vec(("[ -~\n\r]{0,12}", "[ -~]{1,6}", "[ -~]{0,6}"), 0..6)
        ) {
            let stream: String = events
                .iter()
                .map(|(data, name, id)| sent(ServerEvent::new(data).name(name).id(id)))
                .collect();
            let expected: Vec<_> = events
                .iter()
                .map(|(data, name, id)| {
                    let data = data.replace("\r\n", "\n").replace('\r', "\n");
                    // A client removes one space after the colon, which is the one that was added.
                    (name.clone(), data, id.clone())
                })
                .collect();
            prop_assert_eq!(received(&stream), expected);
        }
    }

    #[test]
    fn the_id_of_the_last_event_is_what_the_client_says() {
        let request = Request::get("/events");
        assert_eq!(request.last_event_id(), None);
        assert_eq!(request.clone().with_header("last-event-id", "").last_event_id(), None);
        assert_eq!(request.with_header("last-event-id", "é7").last_event_id(), Some("é7"));
    }
}
