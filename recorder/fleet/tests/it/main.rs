//! Tests of a fleet on a real PostgreSQL.

mod alike;
mod faults;
mod harness;
#[path = "../../../src/sample_traces.rs"]
#[expect(dead_code, reason = "the recorder uses all of it")]
mod sample_traces;
mod shipping;
