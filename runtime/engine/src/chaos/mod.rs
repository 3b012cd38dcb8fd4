//! Chaos: faults that a drill injects into effects that are performed for real.
//!
//! `rule` says which calls get which fault how often, `rule_parser` reads rules as text, `label_pattern` selects calls, and
//! `chaos_plan` decides about each call. Which calls are hit follows from a seed and the order of the calls, so that a drill
//! can be repeated. The faults themselves are injected by the driver. Nothing here reads a clock.

mod chaos_plan;
mod label_pattern;
mod rule;
mod rule_parser;

pub use chaos_plan::{Chaos, Injection};
pub use rule::{ChaosFault, ChaosRule};
pub use rule_parser::ChaosRuleError;
