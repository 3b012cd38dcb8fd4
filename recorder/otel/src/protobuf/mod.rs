//! OTLP in the binary encoding of Protocol Buffers.
//!
//! The `wire` format is written and read here rather than by a library: OTLP needs few of its features, a decoder of
//! hostile files must bound what it allocates while it reads, and the crate of the OpenTelemetry project would bring
//! its SDK. Tests decode everything with that crate.

mod decode;
mod encode;
mod field_numbers;
mod wire;

pub use decode::{ProtobufError, decode, decode_partial_success};
pub use encode::encode;
