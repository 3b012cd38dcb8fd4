//! Handle of a running service: starts its threads and stops them.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use zerver_engine::install_panic_hook;

use super::service::Service;
use super::startup_thread;
use super::thread_group::ThreadGroup;
use super::thread_spawner::ThreadSpawner;
use super::workers::thread_registry::ThreadRegistry;
use super::workers::worker_context::WorkerContext;
use crate::StartError;
use crate::app::startup::{AsyncHook, KeptValues, Startup};
use crate::scheduler;
use crate::scheduler::{BatchPool, Tuning};
use crate::time::ServiceClock;

/// A running service. When it is dropped, the service stops in the background.
#[must_use = "a service stops when this is dropped"]
pub struct Server {
    addr: SocketAddr,
    /// The acceptor stops when this is used or dropped.
    stop: Option<oneshot::Sender<()>>,
    threads: Arc<ThreadGroup>,
    service: Arc<Service>,
    worker_context: WorkerContext,
    /// The watchdog ends when the sender is dropped.
    watchdog: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
    /// Values of [`App::on_startup`](crate::App::on_startup) that must outlive the threads.
    _kept_values: Arc<Mutex<KeptValues>>,
    /// The startup hook is canceled when this is dropped.
    starting: Option<oneshot::Sender<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Server {
    /// Returns the address that the service listens on.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until the service is ready, which means that the hook of
    /// [`App::on_startup_async`](crate::App::on_startup_async) has completed.
    ///
    /// # Errors
    /// The error of the hook. The service then continues to answer with 503 until it is stopped.
    pub async fn ready(&self) -> Result<(), StartError> {
        self.service.readiness.wait().await
    }

    /// Replaces the settings that can change while the service runs.
    pub(crate) fn retune(&self, tuning: Tuning) {
        self.service.readiness.interpreters().configure(&tuning.outbound);
        scheduler::retune(&self.worker_context, &self.service.scheduler, tuning);
    }

    /// Stops accepting connections, waits until the requests in flight are answered, but no longer than
    /// [`Limits::drain`](crate::Limits), and waits for the recorder to write its queue. A stuck step is not waited for;
    /// its request is recorded as far as it is known.
    ///
    /// The call blocks: do not use it on a thread of an async runtime.
    pub fn stop(mut self) {
        drop((self.stop.take(), self.starting.take()));
        let stuck = self.threads.join();
        self.service.effect_runtime.shut_down();
        if let Some(sink) = &self.service.sink {
            let now_ns = self.worker_context.service_clock.elapsed_ns();
            let lost = stuck.iter().filter_map(|thread_status| thread_status.lost_capture(now_ns));
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
        batch_workers: usize,
        mut startup: Startup,
        open: Option<AsyncHook>,
    ) -> Result<Self, StartError> {
        install_panic_hook();
        let addr = listener.local_addr().map_err(StartError::Worker)?;
        let limit = service.limits.connections;
        let batch = service.scheduler.batch.clone();
        let batch_pool = batch.clone().map(|batch| {
            let settings = &service.scheduler.tuning().scheduling;
            Arc::new(BatchPool::new(settings, batch))
        });
        let worker_context = WorkerContext {
            service_clock: Arc::new(ServiceClock::now()),
            open: Arc::new(AtomicUsize::new(0)),
            batch_pool,
            exit_barrier: Arc::default(),
            steal_group: Arc::default(),
            registry: Arc::new(ThreadRegistry::new(batch)),
        };
        let spawner = ThreadSpawner { service: Arc::new(service), worker_context, threads: Arc::default() };
        let (threads, worker_context, service) =
            (Arc::clone(&spawner.threads), spawner.worker_context.clone(), Arc::clone(&spawner.service));
        let kept = Arc::new(Mutex::new(std::mem::take(&mut startup.kept)));
        let mut startup = Some(startup);
        if open.is_none()
            && let Some(startup) = startup.take()
        {
            service.scheduler.set_effect_kinds(startup.interpreters.kinds());
            startup.interpreters.configure(&service.scheduler.tuning().outbound);
            service.readiness.set_ready(startup.interpreters);
        }
        let start = || {
            (0..workers).try_for_each(|index| spawner.spawn_worker(index))?;
            (0..batch_workers).try_for_each(|index| spawner.spawn_batch_worker(index))?;
            Ok((spawner.spawn_acceptor(listener, limit)?, spawner.spawn_watchdog(workers, batch_workers)?))
        };
        match start() {
            Ok((stop, watchdog)) => {
                let starting = open.zip(startup).map(|(open, startup)| {
                    startup_thread::spawn_startup(Arc::clone(&service), open, startup, Arc::clone(&kept))
                });
                let mut server = Self {
                    addr,
                    stop: Some(stop),
                    threads,
                    service,
                    worker_context,
                    watchdog: Some(watchdog),
                    _kept_values: kept,
                    starting: None,
                };
                server.starting = starting.transpose().map_err(StartError::Worker)?;
                Ok(server)
            }
            Err(error) => {
                // Make the threads that did start end.
                worker_context.registry.drain();
                Err(StartError::Worker(error))
            }
        }
    }
}
