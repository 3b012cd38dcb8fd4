//! The threads that perform effects. A worker runs steps, and a step cannot be interrupted: were sockets, timers and the
//! tasks of pooled connections on the runtime of a worker, whoever needs them would wait for its steps. They live here
//! instead, and no step runs here.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

/// One thread is enough for most; with a second, an interpreter that blocks its thread does not stop all others.
const LEAST_THREADS: usize = 2;

/// One thread for this many workers: what an effect takes here is a fraction of what its request takes there.
const WORKERS_PER_THREAD: usize = 4;

/// How long the end of a service waits for these threads: only an interpreter that blocks one makes it wait at all.
const SHUTDOWN: Duration = Duration::from_millis(200);

/// The runtime on which effects are performed. Dropped, it ends without being waited for.
pub(crate) struct EffectRuntime {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl EffectRuntime {
    /// Starts the threads for a service with this many workers.
    pub(crate) fn start(workers: usize) -> io::Result<Arc<Self>> {
        let threads = workers.div_ceil(WORKERS_PER_THREAD).max(LEAST_THREADS);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("zerver-effects")
            .enable_all()
            .build()?;
        Ok(Arc::new(Self { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) }))
    }

    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Makes it the runtime of whatever is spawned, opened or timed by this thread until the guard is dropped.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Drops what is still performed, and with it all connections. It blocks.
    pub(crate) fn shut_down(&self) {
        if let Some(runtime) = self.take() {
            runtime.shutdown_timeout(SHUTDOWN);
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
