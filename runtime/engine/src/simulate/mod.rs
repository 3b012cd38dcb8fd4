//! The policy in virtual time.

mod sim_cores;
mod sim_worker;
mod simulation;
#[cfg(test)]
mod tests;
mod workload;

pub use sim_cores::core_rates;
pub use simulation::simulate;
pub use workload::{Fate, Load, Machine, Part, Simulated, Takes};
