//! Self-describing values.

mod deserializer;
mod encoder;
mod exact_text;
mod node;
mod serializer;
mod token;
mod tokens;

pub use encoder::Encoder;
pub use node::Node;
pub use tokens::{MAX_DEPTH, MAX_LEN, Value, ValueError};
