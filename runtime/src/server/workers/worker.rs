//! State of a worker thread, which owns connections and their requests.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use zerver_engine::Ticket;

use super::drain_state::DrainState;
use super::open_connections::OpenConnections;
use super::worker_context::WorkerContext;
use crate::execution::request_ids::RequestIds;
use crate::http::{AnyFuturePool, DateCache};
use crate::scheduler::{RunQueue, SchedulerState, StealQueue, StealableRequest, ThreadStatus};
use crate::server::service::{Service, WorkerService};
use crate::time::WorkerClock;

pub(crate) struct Worker {
    pub(crate) service: Arc<Service>,
    pub(crate) clock: WorkerClock,
    pub(crate) ids: RequestIds,
    pub(crate) drain: DrainState,
    pub(crate) run_queue: RunQueue,
    pub(crate) thread_status: Arc<ThreadStatus>,
    pub(crate) worker_service: Arc<WorkerService>,
    pub(crate) worker_context: WorkerContext,
    pub(crate) future_pool: AnyFuturePool,
    pub(crate) date: DateCache,
    pub(crate) connections: OpenConnections,
}

impl Worker {
    /// Creates the state of a worker. `slept` is set whenever its thread parks.
    pub(crate) fn new(
        service: Arc<Service>,
        worker_context: WorkerContext,
        thread_status: Arc<ThreadStatus>,
        slept: Arc<AtomicBool>,
        steal_queue: Arc<StealQueue<Ticket, Box<StealableRequest>>>,
    ) -> io::Result<Rc<Self>> {
        let SchedulerState { flows, .. } = &service.scheduler;
        let settings = &service.scheduler.tuning().scheduling;
        Ok(Rc::new(Self {
            clock: WorkerClock::new(Arc::clone(&worker_context.service_clock)),
            ids: RequestIds::new().map_err(|error| io::Error::other(error.to_string()))?,
            drain: DrainState::default(),
            run_queue: RunQueue::new(
                settings,
                flows.len(),
                Arc::clone(&worker_context.service_clock),
                slept,
                Arc::clone(&thread_status),
                Arc::clone(&worker_context.steal_group),
                steal_queue,
            ),
            thread_status,
            worker_service: Arc::new(WorkerService(Arc::clone(&service))),
            service,
            worker_context,
            future_pool: AnyFuturePool::default(),
            date: DateCache::default(),
            connections: OpenConnections::default(),
        }))
    }
}
