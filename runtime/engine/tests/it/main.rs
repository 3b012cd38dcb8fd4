//! Tests of the engine without a runtime, a clock or I/O.

mod alternatives;
mod compile_fail;
mod driver;
mod effects;
mod failures;
mod job;
mod many;
mod recovery;
mod slots;
mod steps;
mod undo;
