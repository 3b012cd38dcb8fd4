//! Terminal UI for recorded requests: a live list, one request in detail, comparison, replay and flows.
//!
//! [`App`] holds the state, `update` is a pure function from a [`Message`] to [`Command`]s, views draw `&App` into a
//! buffer, and key bindings are data. [`run()`] connects them with a terminal, a [`zerver_trace::TraceSource`] and the
//! [`Services`] of the caller. This crate reads no environment variables and opens no store.

mod app;
mod draw;
mod event_loop;
mod footer;
mod frame;
mod index;
mod input;
mod keys;
mod layout;
mod message;
mod overlay;
mod platform;
mod replay_command;
mod screen;
mod services;
mod state;
mod text_input;
mod theme;
mod update;
mod user_config;

#[cfg(test)]
mod tests;

pub use app::App;
pub use draw::{fit, prefix, side_by_side, width};
pub use event_loop::{ExitReason, MessageReceiver, MessageSender, Options, channel, follow_store, run};
pub use message::{Command, Message, Navigation, StartScreen};
pub use services::{CopyOutcome, FlowMeasurement, ReplayResult, Services};
pub use state::{
    BuildProgress, LoadedTrace, Notice, NoticeKind, RunningStep, SchedulerStatus, ServiceEvent, ServiceState,
    WorkerStatus,
};
pub use theme::{Appearance, ColorScheme};
pub use user_config::{ConfigMistake, ThemeName, UserConfig};
