//! The loop of a batch worker: a thread of low priority that takes requests out of the batch pool and runs them.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::sync::Semaphore;

use super::batch_pool::{BatchPool, BatchRequest};
use crate::scheduler::dispatch::run_here::run_here;
use crate::scheduler::run_queue::RunQueue;
use crate::scheduler::threads::thread_status::ThreadStatus;
use crate::server::service::Service;
use crate::time::ServiceClock;

/// So many requests may wait for effects on one thread.
const IN_FLIGHT: usize = 256;

/// What each of these threads does, until no worker is left.
pub(crate) async fn run_batch_worker(
    batch_pool: Arc<BatchPool>,
    service: Arc<Service>,
    service_clock: Arc<ServiceClock>,
    thread_status: Arc<ThreadStatus>,
) {
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    let runner = Rc::new(BatchRunner { service, thread_status });
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let Some(request) =
            batch_pool.status().latch.next(|| batch_pool.next(service_clock.elapsed_ns())).await
        else {
            return;
        };
        let (batch_pool, runner) = (Arc::clone(&batch_pool), Rc::clone(&runner));
        tokio::task::spawn_local(async move {
            let flow = request.placement.flow;
            let ran_ns = runner.run(&batch_pool, request).await;
            batch_pool.ran(flow, ran_ns);
            drop(permit);
        });
        // It runs until it waits; then the next.
        tokio::task::yield_now().await;
    }
}

struct BatchRunner {
    service: Arc<Service>,
    thread_status: Arc<ThreadStatus>,
}

impl BatchRunner {
    /// Takes a request to its end, unless nobody wants it any more. How long its steps ran.
    async fn run(&self, batch_pool: &BatchPool, request: BatchRequest) -> u64 {
        let BatchRequest { slot, placement, mut back, .. } = request;
        let Some((mut active, context)) = slot.take() else { return 0 };
        batch_pool.status().note_taken();
        let run_queue: Option<&RunQueue> = None;
        let mut ran_ns = 0;
        let ended = {
            let mut going = pin!(async {
                active.watch.tick();
                active.migrated_to(&self.thread_status);
                ran_ns = run_here(
                    &self.service,
                    &self.thread_status,
                    run_queue,
                    false,
                    &mut active,
                    &context,
                    &placement,
                )
                .await
                .1;
                active
            });
            let mut closed = pin!(back.closed());
            poll_fn(|cx| {
                if let std::task::Poll::Ready(active) = going.as_mut().poll(cx) {
                    return std::task::Poll::Ready(Some(active));
                }
                closed.as_mut().poll(cx).map(|()| None)
            })
            .await
        };
        // Dropped, it records that its client has gone.
        if let Some(active) = ended {
            drop(back.send(Ok(active)));
        }
        ran_ns
    }
}

/// Gives this thread what the system leaves over. Where it has no such thing, the thread is as any other.
///
/// # Errors
/// When the system does not allow it.
pub(crate) fn lower_thread_priority() -> Result<(), thread_priority::Error> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        thread_priority::set_current_thread_priority(ThreadPriority::Min)
    }
}
