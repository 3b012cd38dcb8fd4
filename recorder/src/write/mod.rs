//! The writing side: the recorder, its thread, and what that removes.

pub(crate) mod observed_clock;
pub(crate) mod open_error;
pub(crate) mod recorder;
pub(crate) mod recorder_state;
pub(crate) mod retention;
pub(crate) mod status_event;
mod status_reporter;
pub(crate) mod writer;
