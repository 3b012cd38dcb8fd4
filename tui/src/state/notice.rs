//! A line for the user, shown in the place of the hints.

/// A line for a person, shown for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it says.
    pub text: String,
    /// Whether something went wrong.
    pub is_bad: bool,
}

impl Notice {
    /// Something went well.
    pub(crate) fn good(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_bad: false }
    }

    /// Something went wrong.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_bad: true }
    }
}
