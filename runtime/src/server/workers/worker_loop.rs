//! Main loop of a worker: serves connections, runs stolen requests, and drains.

use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::drain_state::DrainStage;
use super::exit_barrier::CHECK_INTERVAL;
use super::worker::Worker;
use super::worker_message::{Inbox, WorkerMessage};
use crate::http::{Connection, initialize_date, serve};
use crate::mount::mounted_request::MountedRequest;
use crate::mount::serve_mounted::{InFlight, serve as serve_request};
use crate::scheduler::{StealableRequest, run_stolen};

/// Time for which idle connections stay open when the service stops. A request that is already on its way still gets
/// its response, which announces that the connection closes.
const GRACE: Duration = Duration::from_millis(200);

impl Worker {
    /// Runs the worker until it receives [`WorkerMessage::Drain`] and has drained.
    pub(crate) async fn run(
        self: &Rc<Self>,
        mut inbox: Inbox,
        mut stealable_requests: mpsc::UnboundedReceiver<Box<StealableRequest>>,
    ) {
        initialize_date().await;
        let worker = Rc::clone(self);
        // Runs as long as the thread, because the worker that a request was stolen from waits for it even when the
        // service stops.
        tokio::task::spawn_local(async move {
            while let Some(stealable) = stealable_requests.recv().await {
                tokio::task::spawn_local(run_stolen(*stealable, Rc::clone(&worker)));
            }
        });
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move { worker.run_queue.measure_loop_lag().await });
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move { worker.run_queue.poll_between_turns().await });
        loop {
            match inbox.recv().await {
                Some(WorkerMessage::Connection(socket, peer, accepted)) => {
                    self.open_connection(socket, peer, accepted)
                }
                Some(WorkerMessage::Request(request)) => self.serve_mounted(*request),
                Some(WorkerMessage::Retune(settings)) => self.run_queue.retune(&settings),
                Some(WorkerMessage::Drain) | None => break,
            }
        }
        while let Ok(message) = inbox.try_recv() {
            match message {
                WorkerMessage::Connection(socket, peer, accepted) => {
                    self.open_connection(socket, peer, accepted);
                }
                WorkerMessage::Request(request) => self.serve_mounted(*request),
                WorkerMessage::Retune(_) | WorkerMessage::Drain => {}
            }
        }
        self.service.effect_runtime.end_streams();
        let drain = self.service.limits.drain;
        self.drain_until(DrainStage::Graceful, GRACE.min(drain)).await;
        self.drain_until(DrainStage::Forced, drain).await;
        if let Some(batch) = &self.service.scheduler.batch {
            batch.latch.release(&self.thread_status.pass);
        }
        self.worker_context.exit_barrier.wait(&self.thread_status, &self.service.scheduler, drain).await;
    }

    fn open_connection(self: &Rc<Self>, socket: TcpStream, peer: SocketAddr, accepted: Instant) {
        let connection = OpenConnection::new(self, peer, accepted);
        if let Ok(socket) = tokio::net::TcpStream::from_std(socket) {
            tokio::task::spawn_local(async move {
                serve(Rc::clone(&connection.worker), Rc::clone(&connection.conn), socket).await;
            });
        }
    }

    fn serve_mounted(self: &Rc<Self>, request: MountedRequest) {
        // Counted before its task runs, so that the worker does not end before.
        let in_flight = InFlight::begin(self);
        tokio::task::spawn_local(async move { serve_request(&in_flight, request).await });
    }

    /// Waits for the last connection to close, but no longer than `timeout`. In the forced stage, does not wait for
    /// requests that are stuck in a step on another thread.
    async fn drain_until(&self, stage: DrainStage, timeout: Duration) {
        self.drain.set(stage);
        self.connections.wake_all();
        let empty = async {
            let is_done = || {
                let is_stuck = stage == DrainStage::Forced && self.waits_only_for_stuck();
                is_stuck || self.connections.is_empty()
            };
            while !is_done() {
                let _ = tokio::time::timeout(CHECK_INTERVAL, self.connections.emptied()).await;
            }
        };
        let _ = tokio::time::timeout(timeout, empty).await;
    }
}

impl Worker {
    /// Returns true if all requests in flight are stuck in steps on other threads.
    fn waits_only_for_stuck(&self) -> bool {
        let in_flight = self.connections.in_flight();
        let worker = self.thread_status.worker();
        let threads = self.service.scheduler.threads();
        let stuck = threads.iter().filter(|(_, thread_status)| thread_status.is_stuck_for(worker)).count();
        stuck > 0 && in_flight as usize <= stuck
    }
}

/// An open connection. Counted until it is dropped.
struct OpenConnection {
    worker: Rc<Worker>,
    conn: Rc<Connection>,
    number: u64,
}

impl OpenConnection {
    fn new(worker: &Rc<Worker>, peer: SocketAddr, accepted: Instant) -> Self {
        let conn = Rc::new(Connection::new(peer, accepted, Instant::now()));
        let number = worker.connections.add(Rc::clone(&conn));
        Self { worker: Rc::clone(worker), conn, number }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.worker.worker_context.open.fetch_sub(1, Ordering::Relaxed);
        self.worker.thread_status.remove_connection();
        self.worker.connections.remove(self.number);
    }
}
