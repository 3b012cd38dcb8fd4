//! Notices: messages for the user in place of the footer.

/// Message shown for a short time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Text of the message.
    pub text: String,
    /// True for errors.
    pub is_error: bool,
}

impl Notice {
    /// Creates a confirmation.
    pub(crate) fn confirm(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: false }
    }

    /// Creates an error message.
    pub fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: true }
    }
}
