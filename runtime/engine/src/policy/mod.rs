//! Policies of one target: what protects a service from a target that fails, and the target from the service.
//!
//! Each policy is a state machine of given times. None of them reads a clock, and the jitter of the circuit breaker
//! derives from a seed that is passed in, so that the runtime, tests and the simulator run the same code.

mod adaptive_limit;
mod breaker;
mod rate_limit;
mod retry_budget;
mod rolling_count;
mod target_policy;
#[cfg(test)]
mod tests;
mod time_units;

pub use adaptive_limit::{AdaptiveLimit, CallOutcome, max_place_wait_ns};
pub use breaker::{Breaker, BreakerChange, BreakerPass, BreakerSettings, BreakerState};
pub use rate_limit::{RateExceeded, RateLimit};
pub use retry_budget::RetryBudget;
pub use target_policy::{Places, TargetPolicy};
