//! The engine, driven by hand: no runtime, no clock, no I/O.

mod compile_fail;
mod driver;
mod effects;
mod failures;
mod job;
mod many;
mod slots;
mod steps;
