//! Undoes what a failed request has done. This runs on the effect runtime, so that it neither keeps a worker nor ends when
//! the client leaves. No step runs here.

use std::sync::Arc;

use tokio::sync::oneshot;
use zerver_engine::UNDO_GRACE;

use super::active_request::{ActiveRequest, PendingResponse};
use super::ending_driver::EndingDriver;
use super::stream_task;
use crate::effects::interpreter::EffectContext;
use crate::time::nanos;

/// Starts to undo what a request has done, and returns the receiver of its response. The response is recorded as not
/// delivered if the receiver is dropped.
pub(crate) fn start(
    mut active: ActiveRequest,
    context: EffectContext,
) -> oneshot::Receiver<Option<PendingResponse>> {
    let (response_tx, response_rx) = oneshot::channel();
    active.begin_ending_task();
    let service = Arc::clone(active.service());
    let runtime = Arc::clone(&service.effect_runtime);
    let guard = runtime.begin_undo();
    runtime.handle().spawn(async move {
        let base_ns = active.base_ns;
        if let Some((job, watch)) = active.job() {
            let until_ns = watch.tick().saturating_add(nanos(UNDO_GRACE));
            EndingDriver::new((job, watch), &service, &context, base_ns, until_ns).undo().await;
        }
        let _ = response_tx.send(stream_task::respond(active, context, false));
        drop(guard);
    });
    response_rx
}
