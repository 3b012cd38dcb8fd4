//! What a comparison comes to. What was not recorded is neither equal nor different.

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// Everything was compared, and nothing differs.
    Same,
    /// Something differs.
    Different,
    /// Nothing differs of what was compared, and not everything was.
    Incomplete,
}

impl Sameness {
    /// From whether something differs, and whether everything was compared.
    pub const fn of(differs: bool, is_whole: bool) -> Self {
        match (differs, is_whole) {
            (true, _) => Self::Different,
            (false, true) => Self::Same,
            (false, false) => Self::Incomplete,
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Incomplete => "incomplete",
        }
    }
}
