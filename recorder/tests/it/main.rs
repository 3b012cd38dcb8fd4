//! The recorder as a service and its tools use it: through the public interface, on real files.

mod roundtrip;
mod sample;
