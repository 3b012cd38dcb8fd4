//! A worker: one thread, with its connections and their requests. Nothing of a request leaves it but its effects and
//! its capture.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use zerver_engine::{SchedulingSettings, Ticket};

use crate::ids::Ids;
use crate::leave::{LOOK, Leave};
use crate::schedule::{Board, Guest, Offers, Peers, Shared, Turns, Watched};
use crate::service::{OwnService, Service};
use crate::shell::{AnyFrames, Conn, Date, serve};
use crate::time::{Clock, Zero};

/// How long idle connections stay open when the service stops, so that a request which is on its way to one of them
/// still gets its answer, and with it the word that the connection closes.
const GRACE: Duration = Duration::from_millis(200);

/// What a worker is told.
pub(crate) enum Message {
    /// Serve this connection, which was accepted at this time.
    Connection(TcpStream, SocketAddr, Instant),
    /// Give turns in another way from now on.
    Retune(Arc<SchedulingSettings>),
    /// Finish what is in flight, then stop.
    Drain,
}

pub(crate) type Inbox = mpsc::UnboundedReceiver<Message>;
pub(crate) type Outbox = mpsc::UnboundedSender<Message>;

/// What the workers of one service have in common besides the service.
#[derive(Clone)]
pub(crate) struct Crew {
    pub(crate) zero: Arc<Zero>,
    /// Open connections of all of them.
    pub(crate) open: Arc<AtomicUsize>,
    /// They leave together: what one of them has given away, another may still run.
    pub(crate) leave: Arc<Leave>,
    /// Those that can run each other's requests.
    pub(crate) peers: Arc<Peers>,
    /// Those that take connections.
    pub(crate) watched: Arc<Watched>,
}

pub(crate) struct Worker {
    pub(crate) service: Arc<Service>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) drain: Drain,
    pub(crate) turns: Turns,
    pub(crate) board: Arc<Board>,
    pub(crate) own_service: Arc<OwnService>,
    pub(crate) crew: Crew,
    pub(crate) frames: AnyFrames,
    pub(crate) date: Date,
    connections: RefCell<BTreeMap<u64, Rc<Conn>>>,
    next_connection: Cell<u64>,
    empty: Notify,
}

/// How far a worker is with stopping.
#[derive(Default)]
pub(crate) struct Drain(Cell<Stage>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    No,
    /// Each connection closes with its next answer.
    Gentle,
    /// Idle connections close as well.
    Firm,
}

impl Drain {
    pub(crate) fn is_draining(&self) -> bool {
        self.0.get() != Stage::No
    }

    /// Whether a connection is to be told so.
    pub(crate) fn is_over_for(&self, busy: bool) -> bool {
        match self.0.get() {
            Stage::No => false,
            Stage::Gentle => busy,
            Stage::Firm => true,
        }
    }
}

impl Worker {
    /// `slept` is set whenever its thread goes to sleep.
    pub(crate) fn new(
        service: Arc<Service>,
        crew: Crew,
        board: Arc<Board>,
        slept: Arc<AtomicBool>,
        offers: Arc<Offers<Ticket, Box<Guest>>>,
    ) -> io::Result<Rc<Self>> {
        let Shared { flows, .. } = &service.schedule;
        let settings = &service.schedule.tuning().scheduling;
        Ok(Rc::new(Self {
            clock: Clock::new(Arc::clone(&crew.zero)),
            ids: Ids::new().map_err(|error| io::Error::other(error.to_string()))?,
            drain: Drain::default(),
            turns: Turns::new(
                settings,
                flows.len(),
                Arc::clone(&crew.zero),
                slept,
                Arc::clone(&board),
                Arc::clone(&crew.peers),
                offers,
            ),
            board,
            own_service: Arc::new(OwnService(Arc::clone(&service))),
            service,
            crew,
            frames: AnyFrames::default(),
            date: Date::default(),
            connections: RefCell::default(),
            next_connection: Cell::new(0),
            empty: Notify::new(),
        }))
    }

    /// Works until it is told to drain, and has.
    pub(crate) async fn work(
        self: &Rc<Self>,
        mut inbox: Inbox,
        mut guests: mpsc::UnboundedReceiver<Box<Guest>>,
    ) {
        let worker = Rc::clone(self);
        // As long as this thread runs: who gave one away waits for it, also when the service stops.
        tokio::task::spawn_local(async move {
            while let Some(guest) = guests.recv().await {
                tokio::task::spawn_local(guest.carry(Rc::clone(&worker)));
            }
        });
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move { worker.turns.pulse().await });
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move { worker.turns.look().await });
        loop {
            match inbox.recv().await {
                Some(Message::Connection(socket, peer, accepted)) => self.open(socket, peer, accepted),
                Some(Message::Retune(settings)) => self.turns.retune(&settings),
                Some(Message::Drain) | None => break,
            }
        }
        while let Ok(message) = inbox.try_recv() {
            if let Message::Connection(socket, peer, accepted) = message {
                self.open(socket, peer, accepted);
            }
        }
        let drain = self.service.limits.drain;
        self.leave_for(Stage::Gentle, GRACE.min(drain)).await;
        self.leave_for(Stage::Firm, drain).await;
        if let Some(low) = &self.service.schedule.low {
            low.door.leaves(&self.board.pass);
        }
        self.crew.leave.together(&self.board, &self.service.schedule, drain).await;
    }

    fn open(self: &Rc<Self>, socket: TcpStream, peer: SocketAddr, accepted: Instant) {
        let open = Open::new(self, peer, accepted);
        if let Ok(socket) = tokio::net::TcpStream::from_std(socket) {
            tokio::task::spawn_local(async move {
                serve(Rc::clone(&open.worker), Rc::clone(&open.conn), socket).await;
            });
        }
    }

    /// Waits for the last connection to close, but no longer than `at_most`; not for requests that hang in a step on another
    /// thread.
    async fn leave_for(&self, stage: Stage, at_most: Duration) {
        self.drain.0.set(stage);
        for conn in self.connections.borrow().values() {
            conn.wake();
        }
        let empty = async {
            let is_over = || {
                let hangs = stage == Stage::Firm && self.waits_for_hanging();
                hangs || self.connections.borrow().is_empty()
            };
            while !is_over() {
                let _ = tokio::time::timeout(LOOK, self.empty.notified()).await;
            }
        };
        let _ = tokio::time::timeout(at_most, empty).await;
    }
}

impl Worker {
    /// Whether all that is left hangs in steps that other threads run.
    fn waits_for_hanging(&self) -> bool {
        let in_flight: u32 = self.connections.borrow().values().map(|conn| conn.in_flight()).sum();
        let worker = self.board.worker();
        let boards = self.service.schedule.boards();
        let hanging = boards.iter().filter(|(_, board)| board.hangs_for(worker)).count();
        hanging > 0 && in_flight as usize <= hanging
    }
}

/// An open connection; counted until it is dropped.
struct Open {
    worker: Rc<Worker>,
    conn: Rc<Conn>,
    number: u64,
}

impl Open {
    fn new(worker: &Rc<Worker>, peer: SocketAddr, accepted: Instant) -> Self {
        let number = worker.next_connection.get();
        worker.next_connection.set(number + 1);
        let conn = Rc::new(Conn::new(peer, accepted, Instant::now()));
        worker.connections.borrow_mut().insert(number, Rc::clone(&conn));
        Self { worker: Rc::clone(worker), conn, number }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.worker.crew.open.fetch_sub(1, Ordering::Relaxed);
        self.worker.board.disconnects();
        let mut connections = self.worker.connections.borrow_mut();
        connections.remove(&self.number);
        if connections.is_empty() {
            self.worker.empty.notify_one();
        }
    }
}
