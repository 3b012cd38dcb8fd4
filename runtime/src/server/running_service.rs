//! A service that runs: its threads, and the state that they share.

use std::net::TcpListener;
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
#[cfg(feature = "tls")]
use crate::tls::{CertificateStore, ReloadThread};

/// A service that is ready to run, but has no threads yet.
pub(crate) struct PreparedService {
    pub(crate) service: Service,
    pub(crate) workers: usize,
    pub(crate) batch_workers: usize,
    pub(crate) startup: Startup,
    /// Startup hook that runs once the service listens.
    pub(crate) open: Option<AsyncHook>,
}

impl PreparedService {
    /// Has the service use TLS with these certificates, if there are any.
    #[cfg(feature = "tls")]
    pub(crate) fn with_certificates(mut self, certificates: Option<Arc<CertificateStore>>) -> Self {
        self.service.certificates = certificates;
        self
    }
}

/// A service that runs. When it is dropped, the service stops in the background.
pub(crate) struct RunningService {
    /// The acceptor stops when this is used or dropped. `None` if the service does not listen.
    acceptor: Option<oneshot::Sender<()>>,
    threads: Arc<ThreadGroup>,
    pub(crate) service: Arc<Service>,
    pub(crate) worker_context: WorkerContext,
    /// The watchdog ends when the sender is dropped.
    watchdog: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
    /// Values of [`App::on_startup`](crate::App::on_startup) that must outlive the threads.
    _kept_values: Arc<Mutex<KeptValues>>,
    /// The thread that looks for new certificates ends when this is dropped.
    #[cfg(feature = "tls")]
    certificates: Option<ReloadThread>,
    /// The startup hook is canceled when this is dropped.
    starting: Option<oneshot::Sender<()>>,
}

impl RunningService {
    /// Starts the threads of a service. Without a listener, its requests come from [`MountedFlows`](crate::MountedFlows).
    pub(crate) fn start(
        prepared: PreparedService,
        listener: Option<TcpListener>,
    ) -> Result<Self, StartError> {
        install_panic_hook();
        let PreparedService { service, workers, batch_workers, mut startup, open } = prepared;
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
            let acceptor = |listener| spawner.spawn_acceptor(listener, limit);
            (0..workers).try_for_each(|index| spawner.spawn_worker(index))?;
            (0..batch_workers).try_for_each(|index| spawner.spawn_batch_worker(index))?;
            Ok((listener.map(acceptor).transpose()?, spawner.clone().spawn_watchdog(workers, batch_workers)?))
        };
        match start() {
            Ok((acceptor, watchdog)) => {
                let starting = open.zip(startup).map(|(open, startup)| {
                    startup_thread::spawn_startup(Arc::clone(&service), open, startup, Arc::clone(&kept))
                });
                let mut running = Self {
                    acceptor,
                    threads,
                    service,
                    worker_context,
                    watchdog: Some(watchdog),
                    _kept_values: kept,
                    #[cfg(feature = "tls")]
                    certificates: None,
                    starting: None,
                };
                #[cfg(feature = "tls")]
                if let Some(store) = running.service.certificates.clone() {
                    running.certificates = Some(ReloadThread::start(store).map_err(StartError::Worker)?);
                }
                running.starting = starting.transpose().map_err(StartError::Worker)?;
                Ok(running)
            }
            Err(error) => {
                // Make the threads that did start end.
                worker_context.registry.drain();
                Err(StartError::Worker(error))
            }
        }
    }
    /// Replaces the settings that can change while the service runs.
    pub(crate) fn retune(&self, tuning: Tuning) {
        self.service.readiness.interpreters().configure(&tuning.outbound);
        scheduler::retune(&self.worker_context, &self.service.scheduler, tuning);
    }

    /// Has the certificates read again.
    pub(crate) fn reload_certificates(&self) {
        #[cfg(feature = "tls")]
        self.certificates.iter().for_each(ReloadThread::reload);
    }

    /// Stops accepting requests, waits for those in flight, and ends the threads. This blocks.
    pub(crate) fn stop(mut self) {
        drop(self.starting.take());
        match self.acceptor.take() {
            // It has the workers drain once it accepts no more.
            Some(acceptor) => drop(acceptor),
            None => self.worker_context.registry.drain(),
        }
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
}
