//! Prints the messages to the operator on standard error, one on each line, unless the program has installed a `tracing`
//! subscriber. It ignores all other events.

use std::fmt;
use std::io::Write;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, Subscriber, set_global_default};
use tracing::{Event, Level, Metadata};

use crate::operator_log::{PANIC_TARGET, TARGET};

/// Installs the printer. Has no effect if the program has installed a subscriber before.
pub(super) fn install() {
    let _ = set_global_default(LogPrinter);
}

/// A subscriber that prints the messages of this library.
struct LogPrinter;

impl LogPrinter {
    fn prints(metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && matches!(metadata.target(), TARGET | PANIC_TARGET)
    }
}

impl Subscriber for LogPrinter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Self::prints(metadata)
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if Self::prints(metadata) { Interest::always() } else { Interest::never() }
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let prefix = match (event.metadata().target(), *event.metadata().level()) {
            (TARGET, Level::ERROR) => "error: ",
            (TARGET, Level::WARN) => "warning: ",
            _ => "",
        };
        let line = format!("{prefix}{}\n", message.0);
        // One write, so that the lines of two programs do not mix. A closed standard error is no reason to stop.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    // Spans are never enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
