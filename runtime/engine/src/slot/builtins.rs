//! Slots that every request has from the start: the request itself, its id, the time it arrived, and a source of random
//! numbers. They are recorded with the trace. Besides the outputs of effects, nothing else from outside reaches a step.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zerver_trace::RequestId;

use crate::message::Request;

/// Wall-clock time at which the request arrived. A built-in slot.
///
/// It does not advance while the request runs. A step that needs a later time reads the clock with an effect.
///
/// ```
/// use zerver_engine::{ArrivalTime, Response, step};
///
/// #[step]
/// fn show(arrival: &ArrivalTime) -> Response {
///     Response::text(arrival.unix_s().to_string())
/// }
///
/// assert_eq!(show(&ArrivalTime { unix_ns: 5_000_000_000 }).body, "5");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArrivalTime {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
}

impl ArrivalTime {
    /// Returns milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> u64 {
        self.unix_ns / 1_000_000
    }

    /// Returns seconds since the Unix epoch.
    pub const fn unix_s(self) -> u64 {
        self.unix_ns / 1_000_000_000
    }

    /// Converts it into a `SystemTime`.
    pub fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.unix_ns)
    }
}

/// Random numbers of one request. A built-in slot.
///
/// A replay of the request gets the same numbers. They are predictable, so never use them for secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Random {
    /// Seed from which all numbers are derived.
    pub seed: u64,
}

impl Random {
    /// Returns the random number at this position. The same position always has the same number.
    ///
    /// This is SplitMix64 (Steele, Lea and Flood, 2014) at step `at`.
    pub const fn u64(self, at: u64) -> u64 {
        let mut z = self.seed.wrapping_add(at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Values of the built-in slots of one request.
#[derive(Debug, Clone)]
pub(crate) struct Builtins {
    pub(crate) request: Arc<Request>,
    pub(crate) id: RequestId,
    pub(crate) arrival: ArrivalTime,
    pub(crate) random: Random,
}
