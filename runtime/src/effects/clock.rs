//! The wall clock, later than the request's arrival.
//!
//! A step that needs only the time at which its request arrived reads the slot `ArrivalTime`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use zerver_engine::{Effect, EffectKind, effect};

use super::interpreter::{EffectContext, EffectResult, Interpreter, Started};

/// The time when the effect is performed.
pub fn now() -> Effect<Time> {
    effect(ReadClock)
}

/// A time by the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
}

impl Time {
    /// Milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> u64 {
        self.unix_ns / 1_000_000
    }

    /// Seconds since the Unix epoch.
    pub const fn unix_s(self) -> u64 {
        self.unix_ns / 1_000_000_000
    }

    /// The same as a `SystemTime`.
    pub fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.unix_ns)
    }

    /// How long after the arrival of the request it is; zero where the clock was set back since.
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

/// Reads the clock of the machine, at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wall;

impl Interpreter<ReadClock> for Wall {
    fn start(&self, _: &ReadClock, _context: &EffectContext) -> Started<EffectResult<ReadClock>> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ns = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
        Started::Ready(Ok(Time { unix_ns }))
    }

    fn needs_runtime(&self) -> bool {
        false
    }
}
