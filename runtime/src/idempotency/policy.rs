//! The policy for keys: an effect that reads the settings, so that a replay takes those of the recorded request.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use zerver_engine::{Effect, EffectKind, effect};

use crate::config::{Idempotency, KeyStore};
use crate::effects::interpreter::{EffectContext, EffectResult, Interpreter, Started};
use crate::effects::outbound::Outbound;
use crate::time::wall_now;

/// The effect of kind `idempotency`: reads how the service keeps keys. It performs no I/O.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadPolicy;

/// The settings for the keys of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub(super) store: KeyStore,
    keep_ms: u64,
    lease_ms: u64,
    /// Time since the Unix epoch at which it was read.
    now_ms: u64,
    /// Text that no other request has.
    pub(super) claim: String,
}

impl EffectKind for ReadPolicy {
    const KIND: &'static str = "idempotency";
    type Output = Policy;

    fn summary(&self) -> String {
        "policy".to_owned()
    }

    fn output_summary(policy: &Policy) -> String {
        policy.to_string()
    }

    fn is_safe(&self) -> bool {
        true
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}

/// Writes `kv, keep 24h`.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, for {:?}", self.store, self.keep())
    }
}

/// Reads how the service keeps keys.
pub(super) fn read() -> Effect<Policy> {
    effect(ReadPolicy)
}

impl Policy {
    /// Time for which a response is kept.
    pub(super) const fn keep(&self) -> Duration {
        Duration::from_millis(self.keep_ms)
    }

    /// Time after which a request that has not ended counts as lost.
    pub(super) const fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.now_ms).unwrap_or(i64::MAX)
    }

    pub(super) fn lease_ends_ms(&self) -> i64 {
        i64::try_from(self.now_ms.saturating_add(self.lease_ms)).unwrap_or(i64::MAX)
    }

    pub(super) fn keep_ends_ms(&self) -> i64 {
        i64::try_from(self.now_ms.saturating_add(self.keep_ms)).unwrap_or(i64::MAX)
    }
}

/// Answers [`ReadPolicy`] with the settings of the service.
#[derive(Debug, Default)]
pub(crate) struct PolicyReader(ArcSwap<Outbound>);

impl Interpreter<ReadPolicy> for PolicyReader {
    fn start(&self, _: &ReadPolicy, context: &EffectContext) -> Started<EffectResult<ReadPolicy>> {
        let outbound = self.0.load();
        let Idempotency { keep, lease, store } = *outbound.idempotency();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let now = wall_now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Outside of a request nothing is claimed.
        let claim = context.request_id.map(|id| id.to_string().replace('-', "")).unwrap_or_default();
        Started::Ready(Ok(Policy { store, keep_ms: ms(keep), lease_ms: ms(lease), now_ms: ms(now), claim }))
    }

    fn configure(&self, outbound: &Arc<Outbound>) {
        self.0.store(Arc::clone(outbound));
    }

    fn needs_runtime(&self) -> bool {
        false
    }
}
