//! Records what the code of effects logs through [`tracing`] as lines of the trace, next to the call that logged them.
//!
//! ```no_run
//! use tracing_subscriber::layer::SubscriberExt as _;
//! use zerver::prelude::*;
//! use zerver_tracing::LogLines;
//!
//! fn main() -> impl std::process::Termination {
//!     let subscriber = tracing_subscriber::registry().with(LogLines::new());
//!     tracing::subscriber::set_global_default(subscriber).expect("no subscriber is installed before");
//!     zerver::run(App::new())
//! }
//! ```
//!
//! The layer sees only what is logged while an effect is being performed: by an interpreter, by the function of an
//! `#[effect]`, and by the libraries that they call, except in tasks that these have spawned. A line is recorded if the request is,
//! with its secrets masked like those of any value. Without the layer, nothing is recorded, and nothing is spent.

#![warn(missing_debug_implementations)]

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use zerver::effects::report_line;
use zerver::layer::{EventText, log_level};

/// A layer that records the events within effects as lines of the trace.
#[derive(Debug, Clone)]
pub struct LogLines {
    max_level: Level,
}

impl LogLines {
    /// Creates a layer that records events of level `INFO` and above.
    pub const fn new() -> Self {
        Self { max_level: Level::INFO }
    }

    /// Sets the most detailed level that is recorded.
    #[must_use]
    pub const fn max_level(mut self, level: Level) -> Self {
        self.max_level = level;
        self
    }
}

impl Default for LogLines {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Subscriber> Layer<S> for LogLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > self.max_level {
            return;
        }
        report_line(log_level(*metadata.level()), metadata.target(), || {
            let mut text = EventText::default();
            event.record(&mut text);
            text.into_line()
        });
    }
}
