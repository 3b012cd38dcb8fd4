//! A service that runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use zerver_engine::watch_panics;

use super::service::Service;
use super::startup_thread;
use super::thread_group::Threads;
use super::thread_spawner::Place;
use super::worker_context::Crew;
use crate::StartError;
use crate::app::startup::{Kept, Live, Open};
use crate::scheduler;
use crate::scheduler::{Low, Tuning, Watched};
use crate::time::Zero;

/// A service that runs, on threads of its own. Dropped, it stops by itself, unwaited for.
#[must_use = "a service stops when this is dropped"]
pub struct Running {
    addr: SocketAddr,
    /// Who accepts stops when this is used, or dropped.
    stop: Option<oneshot::Sender<()>>,
    threads: Arc<Threads>,
    service: Arc<Service>,
    crew: Crew,
    /// The watchdog ends when this is dropped.
    watchdog: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
    /// What [`App::live`](crate::App::live) wants to outlive the threads.
    _kept: Arc<Mutex<Kept>>,
    /// It becomes ready as long as this is there.
    starting: Option<oneshot::Sender<()>>,
}

impl Running {
    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until it is ready: what [`App::live_async`](crate::App::live_async) opens is open.
    ///
    /// # Errors
    /// When that fails. It goes on to answer with 503 until it is stopped.
    pub async fn ready(&self) -> Result<(), StartError> {
        self.service.readiness.wait().await
    }

    /// Has another tuning hold from now on.
    pub(crate) fn retune(&self, tuning: Tuning) {
        scheduler::retune(&self.crew, &self.service.schedule, tuning);
    }

    /// Stops accepting, waits until the requests in flight are answered, or for [`Limits::drain`](crate::Limits), and
    /// for the recorder to write what it has. A step that hangs is not waited for; what is known of its request is
    /// recorded.
    ///
    /// It blocks: not for use on an async runtime's thread.
    pub fn stop(mut self) {
        drop((self.stop.take(), self.starting.take()));
        let hanging = self.threads.join();
        self.service.effect_runtime.shut_down();
        if let Some(sink) = &self.service.sink {
            let now_ns = self.crew.zero.elapsed_ns();
            let lost = hanging.iter().filter_map(|board| board.lost(now_ns));
            lost.for_each(|capture| sink.accept(Box::new(capture)));
        }
        if let Some((stop, watchdog)) = self.watchdog.take() {
            drop(stop);
            let _ = watchdog.join();
        }
    }

    pub(crate) fn start(
        service: Service,
        listener: TcpListener,
        workers: usize,
        low_workers: usize,
        mut live: Live,
        open: Option<Open>,
    ) -> Result<Self, StartError> {
        watch_panics();
        let addr = listener.local_addr().map_err(StartError::Worker)?;
        let limit = service.limits.connections;
        let batch = service.schedule.batch.clone();
        let low = batch.clone().map(|batch| {
            let settings = &service.schedule.tuning().scheduling;
            Arc::new(Low::new(settings, batch))
        });
        let crew = Crew {
            zero: Arc::new(Zero::now()),
            open: Arc::new(AtomicUsize::new(0)),
            low,
            leave: Arc::default(),
            peers: Arc::default(),
            watched: Arc::new(Watched::new(batch)),
        };
        let place = Place { service: Arc::new(service), crew, threads: Arc::default() };
        let (threads, crew, service) =
            (Arc::clone(&place.threads), place.crew.clone(), Arc::clone(&place.service));
        let kept = Arc::new(Mutex::new(std::mem::take(&mut live.kept)));
        let mut live = Some(live);
        if open.is_none()
            && let Some(live) = live.take()
        {
            service.schedule.know_kinds(live.interpreters.kinds());
            service.readiness.ready(live.interpreters);
        }
        let start = || {
            (0..workers).try_for_each(|at| place.worker(at))?;
            (0..low_workers).try_for_each(|at| place.low_worker(at))?;
            Ok((place.acceptor(listener, limit)?, place.watchdog(workers, low_workers)?))
        };
        match start() {
            Ok((stop, watchdog)) => {
                let starting = open.zip(live).map(|(open, live)| {
                    startup_thread::prepare(Arc::clone(&service), open, live, Arc::clone(&kept))
                });
                let mut running = Self {
                    addr,
                    stop: Some(stop),
                    threads,
                    service,
                    crew,
                    watchdog: Some(watchdog),
                    _kept: kept,
                    starting: None,
                };
                running.starting = starting.transpose().map_err(StartError::Worker)?;
                Ok(running)
            }
            Err(error) => {
                // Those that did start end again.
                crew.watched.drain();
                Err(StartError::Worker(error))
            }
        }
    }
}
