//! What recorded requests would have met under another configuration: the scheduler's own policy, in virtual time, over
//! recorded arrivals, the time of each step, and the time of each wait for effects.
//!
//! A recording is simulated twice: as it was recorded, which says how far the simulation is to be trusted, and with what
//! is changed. `load` reads traces, `cores` says how long steps would have taken alone and `own` what of
//! that is their doing, `setting` names what can be changed,
//! `report` counts, `reproduced` judges.

mod core_time;
mod fidelity;
mod machine_settings;
mod own_time;
mod recorded_load;
mod simulation;
mod step_medians;
#[cfg(test)]
mod tests;

pub use fidelity::{Deviation, Reproduction};
pub use machine_settings::{MACHINE_SETTINGS, MachineSetting, machine_setting};
pub use simulation::{GroupResults, Quantiles, RequestStats, Simulation};
pub use zerver_engine::{SchedulingSettings, SimMachine};
