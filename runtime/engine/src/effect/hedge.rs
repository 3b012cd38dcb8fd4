//! Hedging: a second attempt of a call that is slow to answer.

use std::time::Duration;

/// Policy for a second attempt while the first has not answered; see [`Effect::hedge`](crate::Effect::hedge).
///
/// ```
/// use std::time::Duration;
/// use zerver_engine::Hedge;
///
/// let hedge = Hedge::after(Duration::from_millis(30));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedge {
    pub(super) after: Duration,
}

impl Hedge {
    /// Creates a policy that starts the second attempt after this time. The time within which 95 of 100 calls answer is a
    /// good choice: one call in twenty is then made twice.
    pub const fn after(after: Duration) -> Self {
        Self { after }
    }
}

/// Two calls in flight of which the first answer counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct HedgedCalls {
    pub(super) first: u32,
    pub(super) second: u32,
    /// Time at which the second begins.
    pub(super) second_ns: u64,
}
