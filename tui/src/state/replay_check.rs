//! The replays of the newest requests after a rebuild.

use zerver_trace::RequestId;

/// What new code makes of the last requests; only in `zerver dev`.
#[derive(Debug, Default)]
pub(crate) struct ReplayCheck {
    /// How many there were.
    pub(crate) number: u64,
    /// Whether some code has served already, which newer code can be compared with.
    pub(crate) has_served: bool,
    /// Whether there is a build that has not been checked.
    pub(crate) is_due: bool,
    /// The requests that come out otherwise.
    pub(crate) changed: Vec<RequestId>,
}
