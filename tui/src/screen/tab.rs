//! The current screen, by name.

/// Current screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Requests,
    Timeline,
    Diff,
    Replay,
    Flows,
}

impl Tab {
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 5] = [Self::Requests, Self::Timeline, Self::Diff, Self::Replay, Self::Flows];

    /// Returns the name of the screen.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Timeline => "timeline",
            Self::Diff => "diff",
            Self::Replay => "replay",
            Self::Flows => "flows",
        }
    }
}
