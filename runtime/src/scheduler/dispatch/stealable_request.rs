//! A request that another worker than that of its connection can run.

use tokio::sync::oneshot;

use super::placement::{DriveEnd, Placement};
use crate::effects::interpreter::EffectContext;
use crate::execution::active_request::ActiveRequest;

/// A request that another worker can run.
pub(crate) struct StealableRequest {
    pub(crate) active: ActiveRequest,
    pub(crate) context: EffectContext,
    pub(crate) placement: Placement,
    /// Closed when nobody wants it any more.
    pub(crate) back: oneshot::Sender<(ActiveRequest, DriveEnd)>,
}
