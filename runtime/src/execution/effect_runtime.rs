//! The threads that perform effects. A step cannot be interrupted, so sockets, timers and the tasks of pooled connections
//! would wait for steps if they lived on the runtime of a worker. They live here instead, and no step runs here.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::undo_task::{UndoCounter, UndoGuard};
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use zerver_engine::UNDO_GRACE;

/// Minimum number of threads. Most services need only one; with a second, an interpreter that blocks its thread does not
/// stop all others.
const MIN_THREADS: usize = 2;

/// Number of workers for each thread. An effect takes a fraction of the time here that its request takes on a worker.
const WORKERS_PER_THREAD: usize = 4;

/// Maximum time that a service waits for these threads when it stops. It only waits for interpreters that block.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(200);

/// The runtime that performs effects. Dropping it does not wait for its threads.
pub(crate) struct EffectRuntime {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
    undoing: Arc<UndoCounter>,
}

impl EffectRuntime {
    /// Starts the threads for a service with this number of workers.
    pub(crate) fn start(workers: usize) -> io::Result<Arc<Self>> {
        let threads = workers.div_ceil(WORKERS_PER_THREAD).max(MIN_THREADS);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("zerver-effects")
            .enable_all()
            .build()?;
        Ok(Arc::new(Self {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            undoing: Arc::default(),
        }))
    }

    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Enters the runtime: until the guard is dropped, tasks, sockets and timers of this thread belong to it.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Counts a request that is being undone, until the guard is dropped.
    pub(crate) fn begin_undo(&self) -> UndoGuard {
        self.undoing.begin()
    }

    /// Waits for the requests that are being undone, cancels the other effects in flight, and closes all connections. This
    /// blocks.
    pub(crate) fn shut_down(&self) {
        self.undoing.wait(UNDO_GRACE);
        if let Some(runtime) = self.take() {
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        }
    }

    fn take(&self) -> Option<Runtime> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for EffectRuntime {
    fn drop(&mut self) {
        // This may be a thread of an async runtime, which must not be blocked.
        if let Some(runtime) = self.take() {
            runtime.shutdown_background();
        }
    }
}
