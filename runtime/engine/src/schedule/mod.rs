//! The scheduling policy: which request runs next, which ones wait, and which ones are shed.
//!
//! The policy performs no I/O and reads no clock. Callers pass all times, so the same code runs under real workers and
//! in virtual time ([`simulate`](crate::simulate())).
//!
//! [`LagDetector`] decides whether requests queue at all. [`FairQueue`] orders the requests that do. [`OverrunTracker`]
//! finds the flows that delay others. [`SchedulingSettings`] configures all three.

mod class_queue;
mod fair_queue;
mod lag_detector;
mod overrun_tracker;
mod settings;
#[cfg(test)]
mod tests;

pub use fair_queue::{FairQueue, QueueCounts, Shed, ShedReason, Ticket, Turn};
pub use lag_detector::LagDetector;
pub use overrun_tracker::OverrunTracker;
#[cfg(test)]
pub(crate) use settings::CLASSES;
pub use settings::{ClassSettings, OverrunLimit, SchedulingSettings, SettingError};
