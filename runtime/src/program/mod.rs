//! A service as a program: its environment, signals, reload of settings, and messages.

pub(crate) mod environment;
mod log_printer;
pub(crate) mod mounting;
mod recorded_app;
pub(crate) mod recorder_startup;
pub(crate) mod run;
pub(crate) mod settings_reload;
