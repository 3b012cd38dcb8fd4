//! The scheduling policy in virtual time: what a workload would meet on another machine or under other settings.
//!
//! [`simulate()`] runs the same [`FairQueue`](crate::FairQueue), [`LagDetector`](crate::LagDetector) and
//! [`OverrunTracker`](crate::OverrunTracker) as real workers do. The result depends on its arguments alone.
//! [`simulate_brown_out`] does the same for the policies of a target.

mod brown_out;
mod sim_cores;
mod sim_worker;
mod simulation;
#[cfg(test)]
mod tests;
mod workload;

pub use brown_out::{BrownOut, BrownOutResult, simulate_brown_out};
pub use sim_cores::core_rates;
pub use simulation::simulate;
pub use workload::{Phase, SimMachine, SimOutcome, SimRequest, SimResult, StepCost};
