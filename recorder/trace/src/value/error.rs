//! Errors in writing or reading values.

use std::fmt;

use super::{MAX_DEPTH, MAX_LEN};

/// Error in writing or reading a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// The value is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The value is longer than [`MAX_LEN`].
    TooLong,
    /// The tokens end before the value does.
    Truncated,
    /// Tokens follow the end of the value.
    Trailing,
    /// The tokens are not those of a value.
    Malformed(&'static str),
    /// The type's own `Serialize` or `Deserialize` reported this.
    Custom(String),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(f, "nested deeper than {MAX_DEPTH} levels"),
            Self::TooLong => write!(f, "longer than {MAX_LEN} bytes"),
            Self::Truncated => write!(f, "the value is truncated"),
            Self::Trailing => write!(f, "tokens follow the end of the value"),
            Self::Malformed(what) => write!(f, "not a value: {what}"),
            Self::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for ValueError {}

impl serde::ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}
