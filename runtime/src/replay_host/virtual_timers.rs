//! Timers and clocks in virtual time: no time passes, so that nothing of it is waited for.

use std::time::Duration;

use zerver_engine::{Call, CallResult};
use zerver_replay::TimerPerformer;

use crate::effects::clock::{ReadClock, Time};
use crate::effects::sleep::Sleep;

/// The kinds that come with zerver.
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
    fn only_what_is_about_time_has_an_answer() {
        let answer = |call: Call| {
            let (performed, took) = VirtualTimers.answer(&call, 1_700_000_000_000_000_007)?;
            Some((Value::from_recordable(&*performed.unwrap()).unwrap().to_string(), took))
        };
        let time = Duration::from_secs(86_400);
        assert_eq!(answer(Call::new(Sleep { time })), Some(("()".to_owned(), time)));
        let told = answer(Call::new(ReadClock)).unwrap();
        assert_eq!(told, ("{unix_ns: 1700000000000000007}".to_owned(), Duration::ZERO));
        assert_eq!(answer(Call::new(kv::Op::Get { key: ("todo", 1).into() })), None);
    }
}
