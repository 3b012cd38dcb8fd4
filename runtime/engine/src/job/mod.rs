//! A job: one request in execution.

mod event_log;
mod state_machine;

pub use self::event_log::MAX_EVENTS;
pub use self::state_machine::{Arrival, Ended, Job, Next, Stop};
