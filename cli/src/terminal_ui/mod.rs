//! The terminal UI over a store: what its screens need from outside.

mod clipboard;
mod service_status;
mod services;
mod source_code;
mod store_source;
mod theme_choice;

pub(crate) use self::services::{diff, is_possible, show, tools};
pub(crate) use self::store_source::Source;
pub(crate) use self::theme_choice::{check_terminal, look};
