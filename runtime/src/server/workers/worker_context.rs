//! State that the workers of a service share in addition to the service itself.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::exit_barrier::ExitBarrier;
use super::thread_registry::ThreadRegistry;
use crate::scheduler::{BatchPool, StealGroup};
use crate::time::ServiceClock;

/// State that the workers of a service share in addition to the service itself.
#[derive(Clone)]
pub(crate) struct WorkerContext {
    pub(crate) service_clock: Arc<ServiceClock>,
    /// Number of open connections of all workers.
    pub(crate) open: Arc<AtomicUsize>,
    /// Pool that runs batch requests. `None` if there are no batch workers.
    pub(crate) batch_pool: Option<Arc<BatchPool>>,
    /// Makes the workers end together, because a worker may still run a request that migrated from another.
    pub(crate) exit_barrier: Arc<ExitBarrier>,
    /// Workers that can steal requests from each other.
    pub(crate) steal_group: Arc<StealGroup>,
    /// Workers that receive connections.
    pub(crate) registry: Arc<ThreadRegistry>,
}
