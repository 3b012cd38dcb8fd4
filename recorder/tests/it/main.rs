//! The recorder as a service and its tools use it: through the public interface, on real files.

mod crash;
mod damage;
mod golden;
mod guard;
mod portable;
mod retention;
mod roundtrip;
mod sample;
mod secrets;
