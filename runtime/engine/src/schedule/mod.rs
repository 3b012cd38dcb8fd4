//! The scheduling policy: who runs next, who waits, who is sent away. It performs no I/O and looks at no clock: times are
//! given to it, so that the same code runs under real workers and under virtual time.
//!
//! [`Behind`] says whether requests wait for turns at all, [`Ready`] holds what could run on one worker, [`Overruns`] knows which flows keep others waiting, [`simulate()`] runs
//! both over a load in virtual time. [`Scheduling`] says how all of them are to be.

mod behind;
mod home;
mod load;
mod overruns;
mod queue;
mod ready;
mod settings;
mod simulate;
mod stage;
#[cfg(test)]
mod tests;

pub use behind::Behind;
pub use load::{Fate, Load, Machine, Part, Simulated, Takes};
pub use overruns::Overruns;
pub use ready::{Counts, Ready, Refused, Ticket, Turn, Why};
pub use settings::{ClassSettings, Often, Scheduling, SettingError};
pub use simulate::simulate;
pub use stage::core_rates;
