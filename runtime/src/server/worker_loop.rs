//! The main loop of a worker: takes connections, runs requests that it stole, and drains.

use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::drain_state::Stage;
use super::exit_barrier::LOOK;
use super::worker::Worker;
use super::worker_message::{Inbox, Message};
use crate::http::{Conn, serve};
use crate::scheduler::{Guest, run_stolen};

/// How long idle connections stay open when the service stops, so that a request which is on its way to one of them
/// still gets its answer, and with it the word that the connection closes.
const GRACE: Duration = Duration::from_millis(200);

impl Worker {
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
                tokio::task::spawn_local(run_stolen(*guest, Rc::clone(&worker)));
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
        if let Some(batch) = &self.service.schedule.batch {
            batch.door.leaves(&self.board.pass);
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
        self.drain.set(stage);
        self.connections.wake_all();
        let empty = async {
            let is_over = || {
                let hangs = stage == Stage::Firm && self.waits_for_hanging();
                hangs || self.connections.is_empty()
            };
            while !is_over() {
                let _ = tokio::time::timeout(LOOK, self.connections.emptied()).await;
            }
        };
        let _ = tokio::time::timeout(at_most, empty).await;
    }
}

impl Worker {
    /// Whether all that is left hangs in steps that other threads run.
    fn waits_for_hanging(&self) -> bool {
        let in_flight = self.connections.in_flight();
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
        let conn = Rc::new(Conn::new(peer, accepted, Instant::now()));
        let number = worker.connections.add(Rc::clone(&conn));
        Self { worker: Rc::clone(worker), conn, number }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.worker.crew.open.fetch_sub(1, Ordering::Relaxed);
        self.worker.board.disconnects();
        self.worker.connections.remove(self.number);
    }
}
