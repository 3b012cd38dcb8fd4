//! The scheduling policy: who runs next, who waits, who is sent away. It performs no I/O and looks at no clock: times are
//! given to it, so that the same code runs under real workers and under virtual time.
//!
//! [`Behind`] says whether requests wait for turns at all, [`Ready`] holds what could run on one worker, [`Overruns`] knows which flows keep others waiting, [`simulate()`](crate::simulate()) runs
//! both over a load in virtual time. [`Scheduling`] says how all of them are to be.

mod class_queue;
mod lag_detector;
mod overrun_tracker;
mod ready_queue;
mod settings;
#[cfg(test)]
mod tests;

pub use lag_detector::Behind;
pub use overrun_tracker::Overruns;
pub use ready_queue::{Counts, Ready, Refused, Ticket, Turn, Why};
pub(crate) use settings::CLASSES;
pub use settings::{ClassSettings, Often, Scheduling, SettingError};
