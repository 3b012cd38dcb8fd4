//! What every request has from the start: the request itself, its id, the time it arrived, and randomness. They are
//! read like slots, recorded with the trace, and the only way in which the world outside reaches a step unasked.

use std::any::TypeId;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zerver_trace::RequestId;

use crate::{Frame, Request, Slot, SlotDesc};

/// The wall clock when the request arrived. It stands still while the request runs; a step that needs the time later
/// asks for it as an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Nanoseconds since the Unix epoch.
    pub unix_ns: u64,
}

impl Now {
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
}

/// Randomness that belongs to the request: the same request, replayed, gets the same. Not for secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Random {
    /// What everything is derived from.
    pub seed: u64,
}

impl Random {
    /// The random number at this position; the same position gives the same number.
    ///
    /// This is SplitMix64 (Steele, Lea and Flood, 2014) at step `at`.
    pub const fn u64(self, at: u64) -> u64 {
        let mut z = self.seed.wrapping_add(at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The given values of one request.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) request: Arc<Request>,
    pub(crate) id: RequestId,
    pub(crate) now: Now,
    pub(crate) random: Random,
}

macro_rules! given {
    ($type:ty, $name:literal, $field:ident) => {
        impl Slot for $type {
            const DESC: SlotDesc = SlotDesc {
                name: $name,
                path: concat!("zerver::", $name),
                secret: false,
                given: true,
                type_id: TypeId::of::<$type>,
            };

            fn find<'a>(frame: &Frame<'a>, _at: usize) -> Option<&'a Self> {
                Some(&frame.given.$field)
            }
        }
    };
}

given!(Request, "Request", request);
given!(RequestId, "RequestId", id);
given!(Now, "Now", now);
given!(Random, "Random", random);
