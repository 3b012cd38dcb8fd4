//! Verdict of a comparison. A value that was not recorded is neither equal nor different.

/// Verdict of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// Everything was compared, and nothing differs.
    Same,
    /// Something differs.
    Different,
    /// Nothing that was compared differs, but not everything could be compared.
    Incomplete,
}

impl Sameness {
    /// Creates a verdict: `differs` if something differs, `is_whole` if everything was compared.
    pub const fn of(differs: bool, is_whole: bool) -> Self {
        match (differs, is_whole) {
            (true, _) => Self::Different,
            (false, true) => Self::Same,
            (false, false) => Self::Incomplete,
        }
    }

    /// Returns the verdict in a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Incomplete => "incomplete",
        }
    }
}
