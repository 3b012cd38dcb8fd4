//! Runs a request on the current thread until it ends or has to continue elsewhere.

use std::sync::Arc;

use super::placement::{DriveEnd, Placement};
use crate::effects::interpreter::EffectContext;
use crate::execution::active_request::ActiveRequest;
use crate::execution::driver::Driver;
use crate::scheduler::run_queue::RunQueue;
use crate::scheduler::run_slice::RunSlice;
use crate::scheduler::threads::thread_status::ThreadStatus;
use crate::server::service::Service;

/// Drives a request on this thread. `has_turn` is true if the run queue has granted it a turn. Also returns the time
/// that its steps ran.
pub(crate) async fn run_here(
    service: &Service,
    thread_status: &Arc<ThreadStatus>,
    run_queue: Option<&RunQueue>,
    has_turn: bool,
    active: &mut ActiveRequest,
    context: &EffectContext,
    placement: &Placement,
) -> (DriveEnd, u64) {
    active.enter_thread(thread_status);
    let Some((job, watch)) = active.job() else { return (DriveEnd::Finished, 0) };
    let began_ns = watch.now_ns();
    let slice = RunSlice::new(service, thread_status, run_queue, has_turn, placement, began_ns);
    let drive_end = Driver::new(job, watch, service, context, &slice, placement.deadline_ns).run().await;
    slice.suspend();
    let ran_ns = slice.ran_ns();
    active.leave_thread();
    (drive_end, ran_ns)
}
