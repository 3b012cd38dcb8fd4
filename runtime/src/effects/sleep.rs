//! Waiting, as an effect.
//!
//! ```
//! use zerver::effects::sleep;
//! use zerver::prelude::*;
//!
//! #[derive(Debug, Slot, Serialize, Deserialize)]
//! struct Waited;
//!
//! #[step]
//! fn wait(_request: &Request) -> Decision<Waited> {
//!     Need(sleep(300.millis()).map(|()| Waited))
//! }
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver_engine::{Effect, EffectKind, effect};

use super::interpreter::{EffectContext, EffectResult, Interpreter, Started};

/// Waits for this time, to the millisecond.
pub fn sleep(time: Duration) -> Effect<()> {
    effect(Sleep { time })
}

/// The effect of kind `sleep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sleep {
    /// Time to wait.
    pub time: Duration,
}

impl EffectKind for Sleep {
    const KIND: &'static str = "sleep";
    type Output = ();

    fn summary(&self) -> String {
        format!("{:?}", self.time)
    }

    fn output_summary((): &()) -> String {
        "done".to_owned()
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    fn is_safe(&self) -> bool {
        true
    }
}

/// The interpreter that waits on the timer of the effect runtime. The timer of a worker would be late while a step
/// runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timer;

impl Interpreter<Sleep> for Timer {
    fn start(&self, sleep: &Sleep, _context: &EffectContext) -> Started<EffectResult<Sleep>> {
        if sleep.time.is_zero() {
            return Started::Ready(Ok(()));
        }
        let time = sleep.time;
        Started::Pending(Box::pin(async move {
            tokio::time::sleep(time).await;
            Ok(())
        }))
    }
}
