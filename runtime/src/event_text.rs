//! The text of a `tracing` event, as a line of a trace.

use std::fmt::{self, Write as _};

use tracing::Level;
use tracing::field::{Field, Visit};
use zerver_trace::LogLevel;

/// Text of an event: its message, and then its fields as ` name=value`. Pass it to `Event::record`.
#[derive(Debug, Default)]
pub struct EventText {
    message: String,
    fields: String,
}

impl EventText {
    /// Returns the text.
    pub fn into_line(self) -> String {
        self.message + &self.fields
    }
}

impl Visit for EventText {
    fn record_str(&mut self, field: &Field, value: &str) {
        // A message is not quoted.
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Returns the level of a line for that of an event.
pub const fn log_level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}
