//! A header of a request or a reply.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::recorded_body;

/// A header of a request or a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Name, in lower case.
    pub name: String,
    /// Value.
    #[serde(with = "recorded_body")]
    pub value: Bytes,
}

impl Header {
    /// Creates a header. The name is converted to lower case.
    pub fn new(name: &str, value: impl Into<Bytes>) -> Self {
        Self { name: name.to_ascii_lowercase(), value: value.into() }
    }
}
