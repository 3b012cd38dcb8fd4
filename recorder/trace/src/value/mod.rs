//! Self-describing values: a slot, the arguments of an effect, an output. They can be shown, compared and edited
//! without the types of the program that recorded them, and turn back into those types without loss.
//!
//! A [`Value`] is one flat sequence of tokens, written and read through serde. Checking it counts the nesting instead of
//! recursing, and both nesting and size are limited.

mod construct;
mod deserializer;
mod encoded_value;
mod encoder;
mod error;
mod exact_text;
pub mod json;
mod limits;
mod node;
mod recordable;
mod serializer;
mod token;

pub use encoded_value::Value;
pub use encoder::Encoder;
pub use error::ValueError;
pub use limits::{MAX_DEPTH, MAX_LEN};
pub use node::Node;
pub use recordable::{Recordable, SharedValue, TypedValue};
