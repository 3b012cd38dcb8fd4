//! The terminal UI: the requests as they come, and what became of one.
//!
//! [`App`] is the state, `update` a pure function from it and a [`Message`] to [`Command`]s, the views draw `&App` into a
//! buffer, and the keys are data. [`run()`] connects them with a terminal, with a [`zerver_trace::TraceSource`], and with
//! the [`Services`] of whoever runs it. This crate reads no environment and names no store.

mod app;
mod curl_command;
mod draw;
mod event_loop;
mod index;
mod input;
mod keys;
mod layout;
mod message;
mod overlay;
mod screen;
mod services;
mod state;
mod text_input;
mod theme;
mod update;

#[cfg(test)]
#[path = "../../replay/src/timeline/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "../../replay/src/timeline/sample.rs"]
mod sample;
#[cfg(test)]
mod tests;

pub use app::App;
pub use draw::{fit, prefix, side_by_side, width};
pub use event_loop::{Ended, Options, Remote, Told, channel, follow, run};
pub use index::SlotTerm;
pub use message::{Command, Message, Open, Show};
pub use services::{Copied, Measured, Replayed, Services};
pub use state::{Dev, Health, Notice, Running, State, Story, Worker};
pub use theme::{Look, Palette};
