//! A service that runs.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::oneshot;
use zerver_engine::install_panic_hook;
use zerver_trace::Thread;

use crate::accept::Acceptor;
use crate::prepare::{Kept, Live, Open};
use crate::readiness;
use crate::schedule::{self, Board, Idle, Kind, Low, Peers, Seat, Tuning, Watched};
use crate::service::Service;
use crate::time::Zero;
use crate::worker::{Crew, Worker};
use crate::{StartError, notice};

/// How often to look whether a thread that has not ended hangs.
const LOOK: Duration = Duration::from_millis(50);

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
        schedule::retune(&self.crew.watched, &self.service.schedule, tuning);
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
        install_panic_hook();
        let addr = listener.local_addr().map_err(StartError::Worker)?;
        let limit = service.limits.connections;
        let low = service.schedule.low.clone();
        let crew = Crew {
            zero: Arc::new(Zero::now()),
            open: Arc::new(AtomicUsize::new(0)),
            leave: Arc::default(),
            peers: Arc::default(),
            watched: Arc::new(Watched::new(low)),
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
                    readiness::prepare(Arc::clone(&service), open, live, Arc::clone(&kept))
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

/// The threads of a service.
#[derive(Default)]
struct Threads {
    all: Mutex<Vec<(JoinHandle<()>, Arc<Board>)>>,
    one_ended: Condvar,
}

impl Threads {
    /// Waits for all to end but those that hang, and gives these.
    fn join(&self) -> Vec<Arc<Board>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            for (thread, _) in all.extract_if(.., |(_, board)| board.has_ended()) {
                let _ = thread.join();
            }
            if all.iter().all(|(_, board)| board.is_stuck()) {
                return all.iter().map(|(_, board)| Arc::clone(board)).collect();
            }
            all = self.one_ended.wait_timeout(all, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn ended(&self, board: &Board) {
        // Whoever waits must not miss it between its look and its wait, nor join a thread that waits for this lock.
        let _all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        board.leave();
        self.one_ended.notify_all();
    }
}

/// Where threads are started.
#[derive(Clone)]
struct Place {
    service: Arc<Service>,
    crew: Crew,
    threads: Arc<Threads>,
}

impl Place {
    /// Starts a worker, which takes connections from then on.
    fn worker(&self, at: usize) -> io::Result<()> {
        let (outbox, inbox) = tokio::sync::mpsc::unbounded_channel();
        let (name, board) = (format!("zerver-{at}"), self.board(Thread::Worker(number(at))));
        self.service.schedule.enlist(name.clone(), Arc::clone(&board));
        let seat = Seat { name: name.clone(), board: Arc::clone(&board), outbox };
        let (slept, idle) = (Arc::new(AtomicBool::new(true)), Arc::new(Idle::default()));
        let berth = self.crew.peers.add(Arc::clone(&idle));
        let (service, crew) = (Arc::clone(&self.service), self.crew.clone());
        let own = Arc::clone(&board);
        if let Some(low) = &service.schedule.low {
            low.door.comes(&board.pass);
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
    fn low_worker(&self, at: usize) -> io::Result<()> {
        let Some(low) = self.service.schedule.low.clone() else { return Ok(()) };
        let (name, board) = (format!("zerver-batch-{at}"), self.board(Thread::BatchWorker(number(at))));
        self.service.schedule.enlist(name.clone(), Arc::clone(&board));
        let (service, crew, own) = (Arc::clone(&self.service), self.crew.clone(), Arc::clone(&board));
        self.crew.watched.add_low(name.clone(), Arc::clone(&board));
        self.thread(name, board, move |ready| {
            let Some(runtime) = tell(ready, runtime(None, Some((&own, &crew.zero)))) else { return };
            if let (Err(error), 0) = (schedule::lower_priority(), at) {
                notice::warn(&format!("batch runs with the priority of all others: {error}"));
            }
            let drain = service.limits.drain;
            runtime.block_on(async {
                low.work(Arc::clone(&service), Arc::clone(&crew.zero), Arc::clone(&own)).await;
                crew.leave.together(&own, &service.schedule, drain).await;
            });
        })
    }

    /// Starts who accepts. It stops when what is returned is used, or dropped.
    fn acceptor(&self, listener: TcpListener, limit: usize) -> io::Result<oneshot::Sender<()>> {
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
    fn watchdog(self, workers: usize, low_workers: usize) -> io::Result<(mpsc::Sender<()>, JoinHandle<()>)> {
        let (stop, stopped) = mpsc::channel();
        let (next, next_low) = (AtomicUsize::new(workers), AtomicUsize::new(low_workers));
        let watch = move || {
            let Self { service, crew, .. } = &self;
            schedule::watch(&crew.watched, &service.schedule, &crew.zero, &stopped, |kind| {
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
        let low = self.service.schedule.low.clone();
        let ends = Ends { threads: Arc::clone(&self.threads), board: Arc::clone(&board), low };
        let work = move || {
            let _ends = ends;
            work(ready);
        };
        let thread = std::thread::Builder::new().name(name).spawn(work)?;
        self.threads.all.lock().unwrap_or_else(PoisonError::into_inner).push((thread, board));
        is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("it ended at once")))
    }
}

/// A thread's number, as traces have it.
fn number(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// Says that a thread has ended, however it does.
struct Ends {
    threads: Arc<Threads>,
    board: Arc<Board>,
    low: Option<Arc<Low>>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        // A thread that has panicked did not say so.
        if let Some(low) = &self.low {
            low.door.leaves(&self.board.pass);
        }
        self.threads.ended(&self.board);
    }
}

/// Who is told that a worker goes to sleep.
struct Sleep {
    /// Set then.
    slept: Arc<AtomicBool>,
    idle: Arc<Idle>,
    peers: Arc<Peers>,
    /// Its own among them.
    number: usize,
}

/// A runtime for one thread, which says when it goes to sleep, and counts on its board how long it is awake.
fn runtime(sleep: Option<Sleep>, board: Option<(&Arc<Board>, &Arc<Zero>)>) -> io::Result<LocalRuntime> {
    let mut builder = Builder::new_current_thread();
    if let Some((board, zero)) = board {
        let wakes = sleep.as_ref().map(|sleep| Arc::clone(&sleep.idle));
        let (sleeping, zero_then) = (Arc::clone(board), Arc::clone(zero));
        builder.on_thread_park(move || {
            if let Some(Sleep { slept, idle, peers, number }) = &sleep {
                slept.store(true, Ordering::Relaxed);
                peers.falls_asleep(*number, idle);
            }
            sleeping.sleeps(zero_then.elapsed_ns());
        });
        let (board, zero) = (Arc::clone(board), Arc::clone(zero));
        builder.on_thread_unpark(move || {
            if let Some(idle) = &wakes {
                idle.wakes();
            }
            board.wakes(zero.elapsed_ns());
        });
    }
    builder.enable_all().build_local(LocalOptions::default())
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
