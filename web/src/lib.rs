//! Web UI of zerver: recorded requests in a browser.
//!
//! Pages are HTML and SVG that Rust renders. Each view in `view` is a pure function from its state to markup; `handler`
//! loads the state, and `server` is everything about HTTP. The only script is `assets/app.js`, without which the pages
//! work as well: it adds keys, live updates, and parts of pages that change in place. `report` makes files of the same
//! views that need no server.
//!
//! The UI reaches the outside through [`Services`] and `TraceSource` only. Everything recorded is hostile text: it is
//! cleaned, escaped, and never a part of a script. Nothing is changed by a GET.

#![warn(missing_debug_implementations)]

mod handler;
mod loaded_trace;
mod page;
mod reply;
pub mod report;
mod request_window;
mod selection;
mod server;
mod services;
mod url;
mod value_paths;
mod view;

pub use server::{WebOptions, WebServer};
pub use services::{ReplayOutcome, Services};
