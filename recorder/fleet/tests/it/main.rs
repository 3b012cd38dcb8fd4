//! Tests of a fleet on a real PostgreSQL and a real object store.

mod alike;
mod archive;
mod bucket;
mod bucket_access;
mod bucket_faults;
mod compaction;
mod database_faults;
mod faults;
mod harness;
mod limits;
#[path = "../../../src/sample_traces.rs"]
#[expect(dead_code, reason = "the recorder uses all of it")]
mod sample_traces;
mod sealing;
mod sealing_faults;
mod sealing_keys;
mod shipping;
