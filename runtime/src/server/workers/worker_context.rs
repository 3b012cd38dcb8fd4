//! State that the workers of one service share besides the service itself.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::exit_barrier::ExitBarrier;
use super::thread_registry::ThreadRegistry;
use crate::scheduler::{BatchPool, StealGroup};
use crate::time::ServiceClock;

/// What the workers of one service have in common besides the service.
#[derive(Clone)]
pub(crate) struct WorkerContext {
    pub(crate) service_clock: Arc<ServiceClock>,
    /// Open connections of all of them.
    pub(crate) open: Arc<AtomicUsize>,
    /// Where batch requests go, if there are batch workers.
    pub(crate) batch_pool: Option<Arc<BatchPool>>,
    /// They leave together: what one of them has given away, another may still run.
    pub(crate) exit_barrier: Arc<ExitBarrier>,
    /// Those that can run each other's requests.
    pub(crate) steal_group: Arc<StealGroup>,
    /// Those that take connections.
    pub(crate) registry: Arc<ThreadRegistry>,
}
