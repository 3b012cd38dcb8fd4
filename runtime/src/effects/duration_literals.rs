//! Durations as literals: `300.millis()`.

use std::time::Duration;

/// Makes durations from whole numbers: `300.millis()`.
///
/// ```
/// use zerver::prelude::*;
/// assert_eq!(2.minutes(), 120.seconds());
/// ```
pub trait Durations {
    /// Returns a duration of this many milliseconds.
    fn millis(self) -> Duration;
    /// Returns a duration of this many seconds.
    fn seconds(self) -> Duration;
    /// Returns a duration of this many minutes.
    fn minutes(self) -> Duration;
    /// Returns a duration of this many hours.
    fn hours(self) -> Duration;
}

impl Durations for u64 {
    fn millis(self) -> Duration {
        Duration::from_millis(self)
    }

    fn seconds(self) -> Duration {
        Duration::from_secs(self)
    }

    fn minutes(self) -> Duration {
        Duration::from_secs(self.saturating_mul(60))
    }

    fn hours(self) -> Duration {
        Duration::from_secs(self.saturating_mul(3600))
    }
}
