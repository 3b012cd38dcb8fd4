//! The terminal UI over a store: what its screens need from outside.

mod clipboard;
mod config_file;
mod service_status;
mod services;
mod theme_choice;

pub(crate) use self::config_file::ConfigFile;
pub(crate) use self::services::{can_open, services, show, show_diff};
pub(crate) use self::theme_choice::{Look, appearance, check_terminal, look};
