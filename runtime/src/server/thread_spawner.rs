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
use super::thread_group::{ExitGuard, ThreadGroup};
use super::workers::thread_registry::WorkerHandle;
use super::workers::worker::Worker;
use super::workers::worker_context::WorkerContext;
use super::workers::worker_runtime::{ParkHooks, build_runtime};
use crate::operator_log;
use crate::platform;
use crate::scheduler;
use crate::scheduler::{ParkState, ThreadKind, ThreadStatus};

/// Starts the threads of a service.
#[derive(Clone)]
pub(super) struct ThreadSpawner {
    pub(super) service: Arc<Service>,
    pub(super) worker_context: WorkerContext,
    pub(super) threads: Arc<ThreadGroup>,
}

impl ThreadSpawner {
    /// Starts a worker and registers it, so that it is assigned connections.
    pub(super) fn spawn_worker(&self, index: usize) -> io::Result<()> {
        let (outbox, inbox) = tokio::sync::mpsc::unbounded_channel();
        let (name, thread_status) =
            (format!("zerver-{index}"), self.thread_status(Thread::Worker(trace_number(index))));
        self.service.scheduler.register_thread(name.clone(), Arc::clone(&thread_status));
        let handle = WorkerHandle { name: name.clone(), thread_status: Arc::clone(&thread_status), outbox };
        let (slept, park_state) = (Arc::new(AtomicBool::new(true)), Arc::new(ParkState::default()));
        let slot = self.worker_context.steal_group.add(Arc::clone(&park_state));
        let (service, worker_context) = (Arc::clone(&self.service), self.worker_context.clone());
        let status = Arc::clone(&thread_status);
        if let Some(batch) = &service.scheduler.batch {
            batch.latch.register(&thread_status.pass);
        }
        self.spawn(name, thread_status, move |ready| {
            let set_up = || {
                let park_hooks = ParkHooks {
                    slept: Arc::clone(&slept),
                    park_state,
                    steal_group: Arc::clone(&worker_context.steal_group),
                    number: slot.number,
                };
                let runtime =
                    build_runtime(Some(park_hooks), Some((&status, &worker_context.service_clock)))?;
                Ok((runtime, Worker::new(service, worker_context, status, slept, slot.steal_queue)?))
            };
            if let Some((runtime, worker)) = report_ready(ready, set_up()) {
                runtime.block_on(worker.run(inbox, slot.stealable_requests));
            }
        })?;
        self.worker_context.registry.add_worker(handle);
        Ok(())
    }

    fn thread_status(&self, thread: Thread) -> Arc<ThreadStatus> {
        Arc::new(ThreadStatus::new(thread, &self.service.scheduler.flows))
    }

    /// Starts a batch worker, which is a thread of low priority.
    pub(super) fn spawn_batch_worker(&self, index: usize) -> io::Result<()> {
        let Some(batch_pool) = self.worker_context.batch_pool.clone() else { return Ok(()) };
        let (name, thread_status) =
            (format!("zerver-batch-{index}"), self.thread_status(Thread::BatchWorker(trace_number(index))));
        self.service.scheduler.register_thread(name.clone(), Arc::clone(&thread_status));
        let (service, worker_context, status) =
            (Arc::clone(&self.service), self.worker_context.clone(), Arc::clone(&thread_status));
        self.worker_context.registry.add_batch_worker(name.clone(), Arc::clone(&thread_status));
        self.spawn(name, thread_status, move |ready| {
            let Some(runtime) =
                report_ready(ready, build_runtime(None, Some((&status, &worker_context.service_clock))))
            else {
                return;
            };
            if let (Err(error), 0) = (platform::lower_thread_priority(), index) {
                operator_log::warn(&format!("cannot lower the priority of the batch workers: {error}"));
            }
            let drain = service.limits.drain;
            runtime.block_on(async {
                scheduler::run_batch_worker(
                    batch_pool,
                    Arc::clone(&service),
                    Arc::clone(&worker_context.service_clock),
                    Arc::clone(&status),
                )
                .await;
                worker_context.exit_barrier.wait(&status, &service.scheduler, drain).await;
            });
        })
    }

    /// Starts the acceptor. It stops when the returned sender is used or dropped.
    pub(super) fn spawn_acceptor(
        &self,
        listener: TcpListener,
        limit: usize,
    ) -> io::Result<oneshot::Sender<()>> {
        let (stop, stopped) = oneshot::channel();
        let (registry, open) =
            (Arc::clone(&self.worker_context.registry), Arc::clone(&self.worker_context.open));
        self.spawn("zerver-accept".to_owned(), Arc::default(), move |ready| {
            let set_up = || {
                let runtime = build_runtime(None, None)?;
                let context = runtime.enter();
                let acceptor = Acceptor::new(listener, registry, open, limit)?;
                drop(context);
                Ok((runtime, acceptor))
            };
            if let Some((runtime, acceptor)) = report_ready(ready, set_up()) {
                runtime.block_on(acceptor.run(stopped));
            }
        })?;
        Ok(stop)
    }

    /// Starts the watchdog, which replaces stuck workers. It ends when the returned sender is dropped.
    pub(super) fn spawn_watchdog(
        self,
        workers: usize,
        batch_workers: usize,
    ) -> io::Result<(mpsc::Sender<()>, JoinHandle<()>)> {
        let (stop, stopped) = mpsc::channel();
        let (next, next_batch) = (AtomicUsize::new(workers), AtomicUsize::new(batch_workers));
        let watch = move || {
            let Self { service, worker_context, .. } = &self;
            scheduler::run_watchdog(
                &worker_context.registry,
                &service.scheduler,
                &worker_context.service_clock,
                &stopped,
                |kind| {
                    let started = match kind {
                        ThreadKind::Worker => self.spawn_worker(next.fetch_add(1, Ordering::Relaxed)),
                        ThreadKind::Batch => {
                            self.spawn_batch_worker(next_batch.fetch_add(1, Ordering::Relaxed))
                        }
                    };
                    if let Err(error) = started {
                        operator_log::warn(&format!("cannot start a worker: {error}"));
                    }
                },
            );
        };
        let thread = std::thread::Builder::new().name("zerver-watch".to_owned()).spawn(watch)?;
        Ok((stop, thread))
    }

    /// Starts a thread, and waits until it is ready.
    fn spawn(
        &self,
        name: String,
        thread_status: Arc<ThreadStatus>,
        run: impl FnOnce(mpsc::Sender<io::Result<()>>) + Send + 'static,
    ) -> io::Result<()> {
        let (ready, is_ready) = mpsc::channel();
        let batch = self.service.scheduler.batch.clone();
        let exit_guard = ExitGuard {
            threads: Arc::clone(&self.threads),
            thread_status: Arc::clone(&thread_status),
            batch,
        };
        let run = move || {
            let _exit_guard = exit_guard;
            run(ready);
        };
        let thread = std::thread::Builder::new().name(name).spawn(run)?;
        self.threads.add(thread, thread_status);
        is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended before it was ready")))
    }
}

/// Number of a thread in traces.
fn trace_number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// Reports the result of a thread's setup to the spawning thread. Returns the value that was set up.
fn report_ready<T>(ready: mpsc::Sender<io::Result<()>>, set_up: io::Result<T>) -> Option<T> {
    let (report, value) = match set_up {
        Ok(value) => (Ok(()), Some(value)),
        Err(error) => (Err(error), None),
    };
    let _ = ready.send(report);
    value
}
