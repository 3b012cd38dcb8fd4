//! The answer to a request, with the events that follow it.

use serde_json::Value;

/// Answer to a request.
pub(super) struct Answer {
    pub(super) body: Value,
    /// Events that follow the answer, with their bodies.
    pub(super) events: Vec<(&'static str, Value)>,
    pub(super) is_last: bool,
}

impl Answer {
    pub(super) fn of(body: Value) -> Self {
        Self { body, events: Vec::new(), is_last: false }
    }

    pub(super) fn nothing() -> Self {
        Self::of(Value::Null)
    }

    pub(super) fn then(mut self, event: &'static str, body: Value) -> Self {
        self.events.push((event, body));
        self
    }
}
