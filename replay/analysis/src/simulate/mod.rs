//! Simulates recorded requests under another configuration: the scheduler's own policy runs in virtual time over
//! recorded arrivals, step durations and waits for effects.
//!
//! A recording is simulated as it was recorded, which shows how far the simulation can be trusted, and with the
//! changes. `recorded_load` reads traces, `core_time` computes how long steps would take with a core to themselves,
//! `own_time` removes what was not their doing, `machine_settings` names what can be changed, `simulation` counts, and
//! `fidelity` judges.

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
