//! Timers and clocks in virtual time: no time passes, so that nothing of it is waited for.

use std::time::Duration;

use zerver_engine::{Call, Performed};
use zerver_replay::Timers;

use crate::effects::clock::{ReadClock, Time};
use crate::effects::sleep::Sleep;

/// The kinds that come with zerver.
pub(super) struct VirtualTimers;

impl Timers for VirtualTimers {
    fn answer(&self, call: &Call, unix_ns: u64) -> Option<(Performed, Duration)> {
        if let Some(sleep) = call.args::<Sleep>() {
            return Some((Ok(Call::output::<Sleep>(())), sleep.time));
        }
        call.args::<ReadClock>()?;
        Some((Ok(Call::output::<ReadClock>(Time { unix_ns })), Duration::ZERO))
    }
}
