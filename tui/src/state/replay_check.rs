//! Replays of the newest requests after a rebuild.

use zerver_trace::RequestId;

/// Progress of the replays after a rebuild; only in `zerver dev`.
#[derive(Debug, Default)]
pub(crate) struct ReplayCheck {
    /// Number of checks so far.
    pub(crate) number: u64,
    /// True once a build has served, so that a newer one can be compared with it.
    pub(crate) has_served: bool,
    /// True if the current build is not checked yet.
    pub(crate) is_due: bool,
    /// Requests whose outcome changed.
    pub(crate) changed: Vec<RequestId>,
}
