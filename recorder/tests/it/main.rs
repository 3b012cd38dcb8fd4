//! Tests of the recorder through its public interface, on real files.

mod access;
mod crash;
mod damage;
mod data_keys;
mod examine;
mod golden;
mod id_digits;
mod portable;
mod property;
mod retention;
mod roundtrip;
#[path = "../../src/sample_traces.rs"]
mod sample_traces;
mod secret_places;
mod secrets;
mod spool;
mod visits;

/// Returns options without an age limit, since the samples are old.
fn options(dir: &std::path::Path) -> zerver_recorder::RecorderOptions {
    zerver_recorder::RecorderOptions { max_age: None, ..zerver_recorder::RecorderOptions::new(dir) }
}
