//! A request that can run on a worker other than that of its connection.

use tokio::sync::oneshot;

use super::placement::{DriveEnd, Placement};
use crate::effects::interpreter::EffectContext;
use crate::execution::active_request::ActiveRequest;

/// A request that an idle worker can take from the worker of its connection.
pub(crate) struct StealableRequest {
    pub(crate) active: ActiveRequest,
    pub(crate) context: EffectContext,
    pub(crate) placement: Placement,
    /// Returns the request to its worker. Closed once that worker no longer waits for it.
    pub(crate) return_tx: oneshot::Sender<(ActiveRequest, DriveEnd)>,
}
