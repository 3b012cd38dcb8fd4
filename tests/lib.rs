//! End to end tests live in `it/`; the programs in `docs/` and the README are compiled and run from here.

#[cfg(doctest)]
#[doc = include_str!("../docs/steps-and-flows.md")]
mod steps_and_flows {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
