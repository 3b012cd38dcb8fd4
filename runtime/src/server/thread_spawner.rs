//! Starts the threads of a service: workers, batch workers, the acceptor and the watchdog.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use zerver_trace::Thread;

use super::acceptor::Acceptor;
use super::service::Service;
use super::thread_group::{Ends, Threads};
use super::worker::Worker;
use super::worker_context::Crew;
use super::worker_runtime::{Sleep, runtime};
use crate::program::notice;
use crate::scheduler;
use crate::scheduler::{Board, Idle, Kind, Seat};

/// Where threads are started.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) service: Arc<Service>,
    pub(super) crew: Crew,
    pub(super) threads: Arc<Threads>,
}

impl Place {
    /// Starts a worker, which takes connections from then on.
    pub(super) fn worker(&self, at: usize) -> io::Result<()> {
        let (outbox, inbox) = tokio::sync::mpsc::unbounded_channel();
        let (name, board) = (format!("zerver-{at}"), self.board(Thread::Worker(number(at))));
        self.service.schedule.enlist(name.clone(), Arc::clone(&board));
        let seat = Seat { name: name.clone(), board: Arc::clone(&board), outbox };
        let (slept, idle) = (Arc::new(AtomicBool::new(true)), Arc::new(Idle::default()));
        let berth = self.crew.peers.add(Arc::clone(&idle));
        let (service, crew) = (Arc::clone(&self.service), self.crew.clone());
        let own = Arc::clone(&board);
        if let Some(batch) = &service.schedule.batch {
            batch.door.comes(&board.pass);
        }
        self.thread(name, board, move |ready| {
            let set_up = || {
                let sleep = Sleep {
                    slept: Arc::clone(&slept),
                    idle,
                    peers: Arc::clone(&crew.peers),
                    number: berth.number,
                };
                let runtime = runtime(Some(sleep), Some((&own, &crew.zero)))?;
                Ok((runtime, Worker::new(service, crew, own, slept, berth.offers)?))
            };
            if let Some((runtime, worker)) = tell(ready, set_up()) {
                runtime.block_on(worker.work(inbox, berth.guests));
            }
        })?;
        self.crew.watched.add(seat);
        Ok(())
    }

    fn board(&self, thread: Thread) -> Arc<Board> {
        Arc::new(Board::new(thread, &self.service.schedule.flows))
    }

    /// Starts a thread of low priority.
    pub(super) fn low_worker(&self, at: usize) -> io::Result<()> {
        let Some(low) = self.crew.low.clone() else { return Ok(()) };
        let (name, board) = (format!("zerver-batch-{at}"), self.board(Thread::BatchWorker(number(at))));
        self.service.schedule.enlist(name.clone(), Arc::clone(&board));
        let (service, crew, own) = (Arc::clone(&self.service), self.crew.clone(), Arc::clone(&board));
        self.crew.watched.add_low(name.clone(), Arc::clone(&board));
        self.thread(name, board, move |ready| {
            let Some(runtime) = tell(ready, runtime(None, Some((&own, &crew.zero)))) else { return };
            if let (Err(error), 0) = (scheduler::lower_priority(), at) {
                notice::warn(&format!("batch runs with the priority of all others: {error}"));
            }
            let drain = service.limits.drain;
            runtime.block_on(async {
                scheduler::work(low, Arc::clone(&service), Arc::clone(&crew.zero), Arc::clone(&own)).await;
                crew.leave.together(&own, &service.schedule, drain).await;
            });
        })
    }

    /// Starts who accepts. It stops when what is returned is used, or dropped.
    pub(super) fn acceptor(&self, listener: TcpListener, limit: usize) -> io::Result<oneshot::Sender<()>> {
        let (stop, stopped) = oneshot::channel();
        let (watched, open) = (Arc::clone(&self.crew.watched), Arc::clone(&self.crew.open));
        self.thread("zerver-accept".to_owned(), Arc::default(), move |ready| {
            let set_up = || {
                let runtime = runtime(None, None)?;
                let context = runtime.enter();
                let acceptor = Acceptor::new(listener, watched, open, limit)?;
                drop(context);
                Ok((runtime, acceptor))
            };
            if let Some((runtime, acceptor)) = tell(ready, set_up()) {
                runtime.block_on(acceptor.work(stopped));
            }
        })?;
        Ok(stop)
    }

    /// Starts who looks whether workers hang, and replaces them. It ends when what is returned is dropped.
    pub(super) fn watchdog(
        self,
        workers: usize,
        low_workers: usize,
    ) -> io::Result<(mpsc::Sender<()>, JoinHandle<()>)> {
        let (stop, stopped) = mpsc::channel();
        let (next, next_low) = (AtomicUsize::new(workers), AtomicUsize::new(low_workers));
        let watch = move || {
            let Self { service, crew, .. } = &self;
            scheduler::watch(&crew.watched, &service.schedule, &crew.zero, &stopped, |kind| {
                let started = match kind {
                    Kind::Worker => self.worker(next.fetch_add(1, Ordering::Relaxed)),
                    Kind::Low => self.low_worker(next_low.fetch_add(1, Ordering::Relaxed)),
                };
                if let Err(error) = started {
                    notice::warn(&format!("cannot start a worker: {error}"));
                }
            });
        };
        let thread = std::thread::Builder::new().name("zerver-watch".to_owned()).spawn(watch)?;
        Ok((stop, thread))
    }

    /// Starts a thread, and waits until it is ready.
    fn thread(
        &self,
        name: String,
        board: Arc<Board>,
        work: impl FnOnce(mpsc::Sender<io::Result<()>>) + Send + 'static,
    ) -> io::Result<()> {
        let (ready, is_ready) = mpsc::channel();
        let batch = self.service.schedule.batch.clone();
        let ends = Ends { threads: Arc::clone(&self.threads), board: Arc::clone(&board), batch };
        let work = move || {
            let _ends = ends;
            work(ready);
        };
        let thread = std::thread::Builder::new().name(name).spawn(work)?;
        self.threads.add(thread, board);
        is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("it ended at once")))
    }
}

/// A thread's number, as traces have it.
fn number(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// Tells whether a thread is ready, and gives what it is ready with.
fn tell<T>(ready: mpsc::Sender<io::Result<()>>, set_up: io::Result<T>) -> Option<T> {
    let (told, result) = match set_up {
        Ok(result) => (Ok(()), Some(result)),
        Err(error) => (Err(error), None),
    };
    let _ = ready.send(told);
    result
}
