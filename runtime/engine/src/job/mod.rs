//! A job is one request in execution, as a state machine without I/O.
//!
//! The driver passes inputs to it: [`Job::run`], [`Job::complete`], [`Job::stop`]. Each returns what the driver has to
//! do next; the calls that have to start are in [`Job::take_requested_calls`]. The driver passes all times.

mod effect_progress;
mod ending;
mod event_log;
mod job_secrets;
mod lifecycle;
mod recording;
mod recovery;
mod state_machine;
mod streaming;
mod undo_log;

pub use self::event_log::MAX_EVENTS;
pub use self::lifecycle::{Arrival, FinishedJob, Next, StopReason, UNDO_GRACE};
pub use self::state_machine::Job;
