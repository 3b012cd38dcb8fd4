//! A service as a program: environment, signals, settings that are read again, and what it prints.

pub(crate) mod environment;
mod log_printer;
pub(crate) mod recorder_startup;
pub(crate) mod run;
pub(crate) mod settings_reload;
