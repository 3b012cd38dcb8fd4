//! The registry of the threads that run requests. It assigns connections to workers and sends them messages, such as the
//! one to drain.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::worker_message::{Outbox, WorkerMessage};
use crate::mount::mounted_request::MountedRequest;
use crate::scheduler::{BatchStatus, ThreadStatus};

/// The threads of a service that run requests.
pub(crate) struct ThreadRegistry {
    /// The workers, which take connections.
    workers: Mutex<Vec<WorkerHandle>>,
    /// The batch workers and their names.
    batch_workers: Mutex<Vec<(String, Arc<ThreadStatus>)>>,
    /// Written only while `workers` is locked.
    is_draining: AtomicBool,
    /// State of the batch pool, if the service has one.
    batch: Option<Arc<BatchStatus>>,
}

pub(crate) struct WorkerHandle {
    pub(crate) name: String,
    pub(crate) thread_status: Arc<ThreadStatus>,
    pub(crate) outbox: Outbox,
}

impl ThreadRegistry {
    pub(crate) fn new(batch: Option<Arc<BatchStatus>>) -> Self {
        Self {
            workers: Mutex::default(),
            batch_workers: Mutex::default(),
            is_draining: AtomicBool::new(false),
            batch,
        }
    }

    pub(crate) fn add_worker(&self, handle: WorkerHandle) {
        let mut workers = self.workers();
        // A worker that is added after `drain` has not received the message.
        if self.is_draining.load(Ordering::Relaxed) {
            let _ = handle.outbox.send(WorkerMessage::Drain);
        }
        workers.push(handle);
    }

    pub(crate) fn add_batch_worker(&self, name: String, thread_status: Arc<ThreadStatus>) {
        self.batch_workers().push((name, thread_status));
    }

    pub(crate) fn batch_workers(&self) -> MutexGuard<'_, Vec<(String, Arc<ThreadStatus>)>> {
        self.batch_workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a connection to the worker with the fewest; among equals, to the next one from `turn` on. A worker that is
    /// stuck or has ended gets none while there is another. Returns the index of the worker.
    pub(crate) fn assign_connection(
        &self,
        turn: usize,
        socket: TcpStream,
        peer: SocketAddr,
    ) -> Option<usize> {
        self.assign(turn, || WorkerMessage::Connection(socket, peer, Instant::now()))
    }

    /// Gives a request of another server to the worker with the fewest connections and such requests. Returns false if no
    /// worker takes it.
    pub(crate) fn assign_request(&self, request: Box<MountedRequest>) -> bool {
        self.assign(0, || WorkerMessage::Request(request)).is_some()
    }

    fn assign(&self, turn: usize, message: impl FnOnce() -> WorkerMessage) -> Option<usize> {
        let workers = self.workers();
        let order = (0..workers.len()).map(|step| (turn + step) % workers.len());
        let cost = |at: &usize| {
            let thread_status = &workers[*at].thread_status;
            (thread_status.has_ended(), thread_status.is_stuck(), thread_status.connections())
        };
        let at = order.min_by_key(cost)?;
        let WorkerHandle { thread_status, outbox, .. } = &workers[at];
        thread_status.add_connection();
        match outbox.send(message()) {
            Ok(()) => Some(at),
            Err(_) => {
                thread_status.remove_connection();
                None
            }
        }
    }

    /// Tells all workers to drain. Batch workers end after them.
    pub(crate) fn drain(&self) {
        let workers = self.workers();
        self.is_draining.store(true, Ordering::Relaxed);
        for handle in &*workers {
            let _ = handle.outbox.send(WorkerMessage::Drain);
        }
        if let Some(batch) = &self.batch {
            batch.latch.close();
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Sends the same message to all workers.
    pub(crate) fn broadcast(&self, message: impl Fn() -> WorkerMessage) {
        for handle in &*self.workers() {
            let _ = handle.outbox.send(message());
        }
    }

    pub(crate) fn workers(&self) -> MutexGuard<'_, Vec<WorkerHandle>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::workers::worker_message::Inbox;

    /// Workers without threads.
    fn workers<const N: usize>() -> (ThreadRegistry, [Arc<ThreadStatus>; N], Vec<Inbox>) {
        let (registry, mut inboxes) = (ThreadRegistry::new(None), Vec::new());
        let threads = std::array::from_fn(|at| {
            let (outbox, inbox) = tokio::sync::mpsc::unbounded_channel();
            inboxes.push(inbox);
            let thread_status = Arc::new(ThreadStatus::default());
            registry.add_worker(WorkerHandle {
                name: format!("worker-{at}"),
                thread_status: Arc::clone(&thread_status),
                outbox,
            });
            thread_status
        });
        (registry, threads, inboxes)
    }

    #[test]
    fn a_connection_goes_to_the_worker_with_the_fewest() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (registry, threads, mut inboxes) = workers::<3>();
        let mut turn = 0;
        let mut assign_connection = || {
            turn = registry.assign_connection(turn + 1, TcpStream::connect(addr).unwrap(), addr).unwrap();
            turn
        };
        assert_eq!([(); 6].map(|()| assign_connection()), [1, 2, 0, 1, 2, 0], "round robin among equals");
        threads[1].remove_connection();
        threads[1].remove_connection();
        assert_eq!([(); 3].map(|()| assign_connection()), [1, 1, 2], "until the numbers are equal");
        threads[0].set_stuck(true);
        assert_eq!([(); 3].map(|()| assign_connection()), [1, 2, 1], "a stuck worker gets none");
        threads[1].set_stuck(true);
        threads[2].set_stuck(true);
        assert_eq!(assign_connection(), 0, "all workers are stuck");
        threads[0].set_ended();
        drop(inboxes.remove(0));
        assert_eq!(assign_connection(), 1, "a worker that has ended gets none, although it has the fewest");
    }
}
