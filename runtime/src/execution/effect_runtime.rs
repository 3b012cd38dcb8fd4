//! The threads that perform effects. A step cannot be interrupted, so sockets, timers and the tasks of pooled connections
//! would wait for steps if they lived on the runtime of a worker. They live here instead, and no step runs here.

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use tokio::sync::{oneshot, watch};
use zerver_engine::UNDO_GRACE;
use zerver_trace::Thread;

use super::undo_counter::{UndoCounter, UndoGuard};
use crate::platform;

/// Number of workers for each thread. An effect of a database takes about as much time here as its request takes on a
/// worker, and most requests have less to do here.
const WORKERS_PER_THREAD: usize = 2;

/// Maximum time that a service waits for these threads when it stops. It only waits for interpreters that block.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(200);

/// The threads that perform effects, each with a runtime of its own. Each worker uses one of them, so that its effects
/// never move from thread to thread: a pool of threads that steal tasks would wake a second thread for nearly every
/// answer of a database. Dropping this does not wait for the threads.
pub(crate) struct EffectRuntime {
    threads: Vec<EffectThread>,
    undoing: Arc<UndoCounter>,
    /// True once the service stops.
    stopping: watch::Sender<bool>,
}

/// A thread that performs effects.
struct EffectThread {
    handle: Handle,
    /// `None` once the thread was stopped.
    running: Mutex<Option<RunningThread>>,
}

struct RunningThread {
    /// The thread runs until this is dropped.
    _stop: oneshot::Sender<()>,
    /// Disconnected once the thread has closed everything.
    ended: Receiver<()>,
}

impl EffectRuntime {
    /// Starts the threads for a service with this number of workers.
    pub(crate) fn start(workers: usize) -> io::Result<Arc<Self>> {
        let threads = workers.div_ceil(WORKERS_PER_THREAD).max(1);
        let threads = (0..threads).map(|_| EffectThread::start()).collect::<io::Result<_>>()?;
        Ok(Arc::new(Self { threads, undoing: Arc::default(), stopping: watch::Sender::new(false) }))
    }

    /// Returns the runtime for work that belongs to no worker.
    pub(crate) fn handle(&self) -> &Handle {
        self.handle_for(None)
    }

    /// Returns the runtime that performs the effects of requests on this thread.
    pub(crate) fn handle_for(&self, thread: Option<Thread>) -> &Handle {
        let number = match thread {
            Some(Thread::Worker(number) | Thread::BatchWorker(number)) => usize::from(number),
            None => 0,
        };
        &self.threads[number % self.threads.len()].handle
    }

    /// Enters the runtime: until the guard is dropped, tasks, sockets and timers of this thread belong to it.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle().enter()
    }

    /// Counts a request that is being undone, until the guard is dropped.
    pub(crate) fn begin_undo(&self) -> UndoGuard {
        self.undoing.begin()
    }

    /// Ends the endless streams, because the service stops.
    pub(crate) fn end_streams(&self) {
        self.stopping.send_replace(true);
    }

    /// Returns the receiver that becomes true once the service stops.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Waits for the requests that are being undone, cancels the other effects in flight, and closes all connections. This
    /// blocks.
    pub(crate) fn shut_down(&self) {
        self.undoing.wait(UNDO_GRACE);
        let running: Vec<_> = self.threads.iter().filter_map(EffectThread::take).collect();
        let ending: Vec<_> = running.into_iter().map(|RunningThread { ended, .. }| ended).collect();
        for ended in ending {
            // A thread that an interpreter blocks is left behind.
            let _ = ended.recv_timeout(SHUTDOWN_TIMEOUT * 2);
        }
    }
}

impl EffectThread {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let ((stop, stopped), (ending, ended)) = (oneshot::channel(), channel());
        let run = move || {
            // A worker that has just begun an effect goes on, and begins others, before this thread performs them all.
            if let Err(error) = platform::wake_without_preemption() {
                tracing::debug!(target: "zerver", "the policy of an effect thread cannot be set: {error}");
            }
            run_until(&runtime, stopped);
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
            drop(ending);
        };
        std::thread::Builder::new().name("zerver-effects".to_owned()).spawn(run)?;
        Ok(Self { handle, running: Mutex::new(Some(RunningThread { _stop: stop, ended })) })
    }

    fn take(&self) -> Option<RunningThread> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Performs effects until the sender is dropped.
fn run_until(runtime: &Runtime, stopped: oneshot::Receiver<()>) {
    // An error is what a dropped sender gives.
    let _ = runtime.block_on(stopped);
}
