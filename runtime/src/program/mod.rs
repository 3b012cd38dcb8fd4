//! A service as a program: its environment, signals, reload of settings, and messages.

pub(crate) mod environment;
pub(crate) mod layer_recorder;
mod log_printer;
mod recorded_app;
pub(crate) mod recorder_startup;
pub(crate) mod run;
pub(crate) mod settings_reload;
pub(crate) mod shipped_recorder;
