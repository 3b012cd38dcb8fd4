//! A service that runs.

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::runtime::LocalOptions;
use tokio::sync::Barrier;

use crate::StartError;
use crate::accept::Acceptor;
use crate::service::Service;
use crate::time::Zero;
use crate::worker::{Crew, Inbox, Message, Outbox, Worker};

/// A service that runs, on threads of its own. Dropped, it stops by itself, unwaited for.
#[must_use = "a service stops when this is dropped"]
pub struct Running {
    addr: SocketAddr,
    /// The worker that accepts.
    first: Outbox,
    threads: Vec<JoinHandle<()>>,
    /// What [`App::live`](crate::App::live) wants to outlive the threads.
    _kept: Vec<Box<dyn Any + Send>>,
}

impl Running {
    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops accepting, waits until the requests in flight are answered, or for [`Limits::drain`](crate::Limits), and
    /// for the recorder to write what it has.
    ///
    /// It blocks: not for use on an async runtime's thread.
    pub fn stop(mut self) {
        let _ = self.first.send(Message::Drain);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }

    pub(crate) fn start(
        service: Service,
        listener: TcpListener,
        workers: usize,
        kept: Vec<Box<dyn Any + Send>>,
    ) -> Result<Self, StartError> {
        let addr = listener.local_addr().map_err(StartError::Worker)?;
        let service = Arc::new(service);
        let (outboxes, inboxes): (Vec<_>, Vec<_>) =
            (0..workers.max(1)).map(|_| tokio::sync::mpsc::unbounded_channel()).unzip();
        let crew = Crew {
            zero: Arc::new(Zero::now()),
            open: Arc::new(AtomicUsize::new(0)),
            leave: Arc::new(Barrier::new(outboxes.len())),
        };
        let first = outboxes[0].clone();
        let (ready, readies) = mpsc::channel();
        let mut accept = Some((listener, outboxes));
        let mut threads = Vec::new();
        for (at, inbox) in inboxes.into_iter().enumerate() {
            let (service, crew, accept, ready) =
                (Arc::clone(&service), crew.clone(), accept.take(), ready.clone());
            let thread = std::thread::Builder::new()
                .name(format!("zerver-{at}"))
                .spawn(move || work(&service, &crew, inbox, accept, &ready))
                .map_err(StartError::Worker)?;
            threads.push(thread);
        }
        drop(ready);
        for ready in readies.iter().take(threads.len()) {
            ready.map_err(StartError::Worker)?;
        }
        Ok(Self { addr, first, threads, _kept: kept })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.first.send(Message::Drain);
    }
}

/// What a worker's thread does.
fn work(
    service: &Arc<Service>,
    crew: &Crew,
    inbox: Inbox,
    accept: Option<(TcpListener, Vec<Outbox>)>,
    ready: &mpsc::Sender<io::Result<()>>,
) {
    let set_up = || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
        let worker = Worker::new(Arc::clone(service), crew.clone())?;
        let acceptor = {
            let _context = runtime.enter();
            let limit = service.limits.connections;
            accept
                .map(|(listener, all)| Acceptor::new(listener, all, Arc::clone(&crew.open), limit))
                .transpose()?
        };
        Ok((runtime, worker, acceptor))
    };
    match set_up() {
        Ok((runtime, worker, acceptor)) => {
            let _ = ready.send(Ok(()));
            runtime.block_on(worker.work(inbox, acceptor));
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    }
}
