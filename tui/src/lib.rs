//! The terminal UI: the requests as they come, and what became of one.
//!
//! [`App`] is the state, `update` a pure function from it and a [`Message`] to [`Command`]s, the views draw `&App` into a
//! buffer, and the keys are data. [`run()`] connects them with a terminal, with a [`zerver_trace::TraceSource`], and with
//! the [`Services`] of whoever runs it. This crate reads no environment and names no store.

mod app;
mod curl;
mod dev;
mod draw;
mod follow;
mod index;
mod input;
mod keys;
mod message;
mod overlay;
mod perform;
mod prompt;
mod run;
mod scheduler;
mod screen;
mod services;
mod shared;
mod terminal;
mod theme;
mod update;

#[cfg(test)]
#[path = "../../replay/analysis/src/timeline/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "../../replay/analysis/src/timeline/sample.rs"]
mod sample;
#[cfg(test)]
mod tests;

pub use app::App;
pub use dev::{Dev, State};
pub use draw::{fit, prefix, side_by_side, width};
pub use follow::follow;
pub use message::{Command, Message, Notice, Show};
pub use run::{Ended, Open, Options, Remote, Told, channel, run};
pub use scheduler::{Health, Running, Worker};
pub use screen::requests::SlotTerm;
pub use services::{Copied, Measured, Replayed, Services};
pub use shared::Story;
pub use theme::{Look, Palette};
