//! The recorder as a service and its tools use it: through the public interface, on real files.

mod crash;
mod damage;
mod golden;
mod guard;
mod health;
mod id_digits;
mod portable;
mod property;
mod retention;
mod roundtrip;
#[path = "../../src/sample_traces.rs"]
mod sample_traces;
mod secret_places;
mod secrets;

/// RecorderOptions under which the samples, which began long ago, are not too old.
fn options(dir: &std::path::Path) -> zerver_recorder::RecorderOptions {
    zerver_recorder::RecorderOptions { max_age: None, ..zerver_recorder::RecorderOptions::new(dir) }
}
