//! Timers and clocks in virtual time, which advances without waiting.

use std::time::Duration;

use zerver_engine::{Call, CallResult};
use zerver_replay::TimerPerformer;

use crate::effects::clock::{ReadClock, Time};
use crate::effects::sleep::Sleep;

/// Performs the built-in effects that depend on time.
pub(super) struct VirtualTimers;

impl TimerPerformer for VirtualTimers {
    fn answer(&self, call: &Call, unix_ns: u64) -> Option<(CallResult, Duration)> {
        if let Some(sleep) = call.args::<Sleep>() {
            return Some((Ok(Call::output::<Sleep>(())), sleep.time));
        }
        call.args::<ReadClock>()?;
        Some((Ok(Call::output::<ReadClock>(Time { unix_ns })), Duration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use zerver_trace::Value;

    use super::*;
    use crate::effects::kv;

    #[test]
    fn only_effects_of_time_are_answered() {
        let answer = |call: Call| {
            let (performed, took) = VirtualTimers.answer(&call, 1_700_000_000_000_000_007)?;
            Some((Value::from_recordable(&*performed.unwrap()).unwrap().to_string(), took))
        };
        let time = Duration::from_secs(86_400);
        assert_eq!(answer(Call::new(Sleep { time })), Some(("()".to_owned(), time)));
        let time_read = answer(Call::new(ReadClock)).unwrap();
        assert_eq!(time_read, ("{unix_ns: 1700000000000000007}".to_owned(), Duration::ZERO));
        assert_eq!(answer(Call::new(kv::Op::Get { key: ("todo", 1).into() })), None);
    }
}
