//! The writing side: the recorder, the thread that commits traces, and the removal of old ones.

mod observed_clock;
pub(crate) mod open_error;
pub(crate) mod recorder;
pub(crate) mod recorder_state;
mod retention;
pub(crate) mod status_event;
mod status_reporter;
mod writer;
