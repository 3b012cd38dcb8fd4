//! Shapes of types: the form of their values in JSON, found out from `Deserialize`, which slots and inputs implement anyway.
//!
//! A type is deserialized several times from values that do not exist yet: it says what it expects, and gets a sample. So no
//! derive is needed, and renamed, defaulted and skipped fields are what serde makes of them. What a type does not say stays
//! [`Shape::Any`]: types that look at the value first (untagged and internally tagged enums), and flattened fields.

mod access;
mod arena;
mod display;
mod probe;
mod samples;
mod shape_type;
mod tracer;

use serde::de::DeserializeOwned;

pub use self::samples::ShapeFormat;
pub use self::shape_type::{Shape, ShapeField};

impl Shape {
    /// Returns the shape of a type. A type whose `Deserialize` panics has the shape [`Shape::Any`].
    pub fn of<T: DeserializeOwned>() -> Self {
        std::panic::catch_unwind(tracer::trace::<T>).unwrap_or(Self::Any)
    }
}

#[cfg(test)]
mod tests;
