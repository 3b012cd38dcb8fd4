//! The time of day while a request runs, as an effect.
//!
//! A step that needs only the time at which its request arrived reads the slot `ArrivalTime` instead.
//!
//! ```
//! use zerver::effects::clock;
//! use zerver::prelude::*;
//!
//! #[derive(Debug, Slot, Serialize, Deserialize)]
//! struct PaidAt(u64);
//!
//! #[step]
//! fn stamp(_request: &Request) -> Decision<PaidAt> {
//!     Need(clock::now().map(|time| PaidAt(time.unix_ms())))
//! }
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use zerver_engine::{Effect, EffectKind, effect};

use super::interpreter::{EffectContext, EffectResult, Interpreter, Started};

/// Returns the time at which the effect is performed.
pub fn now() -> Effect<Time> {
    effect(ReadClock)
}

/// A time of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
}

impl Time {
    /// Returns the milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> u64 {
        self.unix_ns / 1_000_000
    }

    /// Returns the seconds since the Unix epoch.
    pub const fn unix_s(self) -> u64 {
        self.unix_ns / 1_000_000_000
    }

    /// Converts the time to a `SystemTime`.
    pub fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.unix_ns)
    }

    /// Returns the time since the arrival of the request; zero if the clock has been set back.
    pub const fn since(self, arrival: zerver_engine::ArrivalTime) -> Duration {
        Duration::from_nanos(self.unix_ns.saturating_sub(arrival.unix_ns))
    }
}

/// The effect of kind `clock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadClock;

impl EffectKind for ReadClock {
    const KIND: &'static str = "clock";
    type Output = Time;

    fn summary(&self) -> String {
        "now".to_owned()
    }

    fn output_summary(time: &Time) -> String {
        format!("{}.{:09}", time.unix_s(), time.unix_ns % 1_000_000_000)
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    fn is_safe(&self) -> bool {
        true
    }
}

/// The interpreter that reads the clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Interpreter<ReadClock> for SystemClock {
    fn start(&self, _: &ReadClock, _context: &EffectContext) -> Started<EffectResult<ReadClock>> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ns = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
        Started::Ready(Ok(Time { unix_ns }))
    }

    fn needs_runtime(&self) -> bool {
        false
    }
}
