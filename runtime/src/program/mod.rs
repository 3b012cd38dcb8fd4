//! A service as a program: environment, signals, settings that are read again, and what it prints.

pub(crate) mod environment;
pub(crate) mod notice;
pub(crate) mod recorder_startup;
pub(crate) mod run;
pub(crate) mod settings_reload;
