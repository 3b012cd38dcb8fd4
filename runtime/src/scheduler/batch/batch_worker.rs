//! The loop of a batch worker: a thread of low priority that takes requests from the batch pool and runs them.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::batch_pool::{BatchPool, BatchRequest};
use crate::scheduler::dispatch::run_here::run_here;
use crate::scheduler::run_queue::RunQueue;
use crate::scheduler::threads::thread_status::ThreadStatus;
use crate::server::service::Service;
use crate::time::ServiceClock;

/// Maximum number of requests in flight on one batch worker.
const MAX_IN_FLIGHT: usize = 256;

/// Runs requests of the batch pool until no worker is left that could submit one.
pub(crate) async fn run_batch_worker(
    batch_pool: Arc<BatchPool>,
    service: Arc<Service>,
    service_clock: Arc<ServiceClock>,
    thread_status: Arc<ThreadStatus>,
) {
    let permits = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
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
            batch_pool.charge(flow, ran_ns);
            drop(permit);
        });
        // Runs the request until it waits for an effect, and only then takes the next.
        tokio::task::yield_now().await;
    }
}

struct BatchRunner {
    service: Arc<Service>,
    thread_status: Arc<ThreadStatus>,
}

impl BatchRunner {
    /// Runs a request to its end, or until its worker no longer waits for it. Returns the time that its steps ran.
    async fn run(&self, batch_pool: &BatchPool, request: BatchRequest) -> u64 {
        let BatchRequest { slot, placement, mut return_tx, .. } = request;
        let Some((mut active, context)) = slot.take() else { return 0 };
        batch_pool.status().note_taken();
        let run_queue: Option<&RunQueue> = None;
        let mut ran_ns = 0;
        let ended = {
            let mut run = pin!(async {
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
            let mut closed = pin!(return_tx.closed());
            poll_fn(|cx| {
                if let std::task::Poll::Ready(active) = run.as_mut().poll(cx) {
                    return std::task::Poll::Ready(Some(active));
                }
                closed.as_mut().poll(cx).map(|()| None)
            })
            .await
        };
        // If its worker no longer waits for it, the request is dropped, which records that the client left.
        if let Some(active) = ended {
            drop(return_tx.send(Ok(active)));
        }
        ran_ns
    }
}
