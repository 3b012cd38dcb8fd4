//! The engine, driven by hand: no runtime, no clock, no I/O.

mod driver;
mod effects;
mod job;
mod steps;
