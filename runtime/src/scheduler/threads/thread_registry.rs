//! The threads of a service that run requests: connections are dealt to them, and all of them are told to drain.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::thread_status::Board;
use crate::scheduler::batch::batch_status::BatchStatus;
use crate::server::worker_message::{Message, Outbox};

/// The threads of a service that run requests.
pub(crate) struct Watched {
    /// The workers, which take connections.
    seats: Mutex<Vec<Seat>>,
    /// Those of low priority, with their names.
    low_seats: Mutex<Vec<(String, Arc<Board>)>>,
    /// Set while the seats are locked.
    is_draining: AtomicBool,
    /// Where they hand over what is to run at low priority.
    batch: Option<Arc<BatchStatus>>,
}

pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) board: Arc<Board>,
    pub(crate) outbox: Outbox,
}

impl Watched {
    pub(crate) fn new(batch: Option<Arc<BatchStatus>>) -> Self {
        Self {
            seats: Mutex::default(),
            low_seats: Mutex::default(),
            is_draining: AtomicBool::new(false),
            batch,
        }
    }

    pub(crate) fn add(&self, seat: Seat) {
        let mut seats = self.lock();
        // It came while all were told.
        if self.is_draining.load(Ordering::Relaxed) {
            let _ = seat.outbox.send(Message::Drain);
        }
        seats.push(seat);
    }

    /// There is one more thread of low priority.
    pub(crate) fn add_low(&self, name: String, board: Arc<Board>) {
        self.lock_low().push((name, board));
    }

    pub(super) fn lock_low(&self) -> MutexGuard<'_, Vec<(String, Arc<Board>)>> {
        self.low_seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a connection to the worker with the fewest; of those with as many, to the next from `turn` on. Who hangs or
    /// has ended gets none while there is another. Where it went.
    pub(crate) fn deal(&self, turn: usize, socket: TcpStream, peer: SocketAddr) -> Option<usize> {
        let seats = self.lock();
        let order = (0..seats.len()).map(|step| (turn + step) % seats.len());
        let cost = |at: &usize| {
            let board = &seats[*at].board;
            (board.has_ended(), board.is_stuck(), board.connections())
        };
        let at = order.min_by_key(cost)?;
        let Seat { board, outbox, .. } = &seats[at];
        board.connects();
        match outbox.send(Message::Connection(socket, peer, Instant::now())) {
            Ok(()) => Some(at),
            Err(_) => {
                board.disconnects();
                None
            }
        }
    }

    /// Tells all to drain.
    pub(crate) fn drain(&self) {
        let seats = self.lock();
        self.is_draining.store(true, Ordering::Relaxed);
        for seat in &*seats {
            let _ = seat.outbox.send(Message::Drain);
        }
        if let Some(batch) = &self.batch {
            batch.door.closes();
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Tells all the same.
    pub(crate) fn tell(&self, message: impl Fn() -> Message) {
        for seat in &*self.lock() {
            let _ = seat.outbox.send(message());
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::worker_message::Inbox;

    /// Workers without threads.
    fn seats<const N: usize>() -> (Watched, [Arc<Board>; N], Vec<Inbox>) {
        let (watched, mut inboxes) = (Watched::new(None), Vec::new());
        let boards = std::array::from_fn(|at| {
            let (outbox, inbox) = tokio::sync::mpsc::unbounded_channel();
            inboxes.push(inbox);
            let board = Arc::new(Board::default());
            watched.add(Seat { name: format!("worker-{at}"), board: Arc::clone(&board), outbox });
            board
        });
        (watched, boards, inboxes)
    }

    #[test]
    fn who_has_the_fewest_connections_gets_the_next() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (watched, boards, mut inboxes) = seats::<3>();
        let mut turn = 0;
        let mut deal = || {
            turn = watched.deal(turn + 1, TcpStream::connect(addr).unwrap(), addr).unwrap();
            turn
        };
        assert_eq!([(); 6].map(|()| deal()), [1, 2, 0, 1, 2, 0], "in turn where all have as many");
        boards[1].disconnects();
        boards[1].disconnects();
        assert_eq!([(); 3].map(|()| deal()), [1, 1, 2], "until all have as many");
        boards[0].mark(true);
        assert_eq!([(); 3].map(|()| deal()), [1, 2, 1], "not to who hangs");
        boards[1].mark(true);
        boards[2].mark(true);
        assert_eq!(deal(), 0, "all hang");
        boards[0].leave();
        drop(inboxes.remove(0));
        assert_eq!(deal(), 1, "not to who has ended, though it has the fewest");
    }
}
