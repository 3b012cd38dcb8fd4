//! Looks at the workers from outside: which of them hang in a step, and how all of them are.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use zerver_engine::{Class, RequestId};

use super::thread_status::Board;
use crate::program::notice;
use crate::scheduler::batch_pool::Low;
use crate::scheduler::metrics::snapshot;
use crate::scheduler::shared_state::{Shared, Tuning};
use crate::scheduler::sync::current_step::Running;
use crate::server::worker::{Message, Outbox};
use crate::time::{Zero, nanos};

/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// A thread of low priority may be without a core for so many times longer until it counts as hanging.
const LOW_PATIENCE: u64 = 10;

/// The threads of a service that run requests.
pub(crate) struct Watched {
    /// The workers, which take connections.
    seats: Mutex<Vec<Seat>>,
    /// Those of low priority, with their names.
    low_seats: Mutex<Vec<(String, Arc<Board>)>>,
    /// Set while the seats are locked.
    is_draining: AtomicBool,
    /// Where they hand over what is to run at low priority.
    low: Option<Arc<Low>>,
}

pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) board: Arc<Board>,
    pub(crate) outbox: Outbox,
}

impl Watched {
    pub(crate) fn new(low: Option<Arc<Low>>) -> Self {
        Self {
            seats: Mutex::default(),
            low_seats: Mutex::default(),
            is_draining: AtomicBool::new(false),
            low,
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

    fn lock_low(&self) -> std::sync::MutexGuard<'_, Vec<(String, Arc<Board>)>> {
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
        if let Some(low) = &self.low {
            low.door.closes();
        }
    }

    /// Tells all the same.
    fn tell(&self, message: impl Fn() -> Message) {
        for seat in &*self.lock() {
            let _ = seat.outbox.send(message());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches until `stop` hangs up. Each thread that hangs is replaced once, as long as there are not twice as many as
/// there were: `replace` starts a worker, or a thread of low priority.
pub(crate) fn watch(
    watched: &Watched,
    shared: &Shared,
    zero: &Zero,
    stop: &Receiver<()>,
    mut replace: impl FnMut(Kind),
) {
    let (mut left, mut left_low) = (watched.lock().len(), watched.lock_low().len());
    while stop.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        let now_ns = zero.elapsed_ns();
        let look = |name: &str, board: &Board, kind| {
            let text = look(board, shared, now_ns, kind)?;
            Some((format!("{name} {text}"), board.is_stuck(), kind))
        };
        let mut changed: Vec<_> = {
            let seats = watched.lock();
            seats.iter().filter_map(|seat| look(&seat.name, &seat.board, Kind::Worker)).collect()
        };
        let low_seats = watched.lock_low();
        changed.extend(low_seats.iter().filter_map(|(name, board)| look(name, board, Kind::Low)));
        drop(low_seats);
        for (text, is_stuck, kind) in changed {
            notice::warn(&text);
            let left = if kind == Kind::Low { &mut left_low } else { &mut left };
            if is_stuck && *left > 0 && !watched.is_draining.load(Ordering::Relaxed) {
                *left -= 1;
                replace(kind);
            }
        }
    }
}

/// What a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Worker,
    /// Of low priority.
    Low,
}

/// Marks a thread as hanging, or as no longer so, and says it.
fn look(board: &Board, shared: &Shared, now_ns: u64, kind: Kind) -> Option<String> {
    let running = board.current.running();
    let patience_ns = match kind {
        Kind::Worker => nanos(shared.stuck_after),
        Kind::Low => nanos(shared.stuck_after).saturating_mul(LOW_PATIENCE),
    };
    let too_long = |running: &Running| now_ns.saturating_sub(running.since_ns) > patience_ns;
    // Only workers hand requests over.
    let low = shared.low.as_ref().filter(|_| kind == Kind::Worker);
    match (running.filter(too_long), board.is_stuck()) {
        (Some(running), false) => {
            board.mark(true);
            if let Some(low) = low {
                low.door.rests(&board.pass);
            }
            let ms = now_ns.saturating_sub(running.since_ns) / 1_000_000;
            let step = shared.step_name(running.flow, running.step);
            let flow = shared.flow_name(running.flow);
            let id = RequestId::from_u128(running.id);
            let so = match kind {
                Kind::Worker => "its connections wait, another worker takes new ones",
                Kind::Low => "another thread goes on with batch",
            };
            Some(format!("hangs in {step} of {flow} for {ms} ms, request {id}: {so}"))
        }
        (None, true) => {
            board.mark(false);
            if let Some(low) = low {
                low.door.goes_on(&board.pass);
            }
            Some("goes on".to_owned())
        }
        _ => None,
    }
}

/// Gives turns in another way from now on, everywhere. Not for workers: it waits for a lock.
pub(crate) fn retune(watched: &Watched, shared: &Shared, tuning: Tuning) {
    let scheduling = Arc::new(tuning.scheduling.clone());
    shared.retune(tuning);
    watched.tell(|| Message::Retune(Arc::clone(&scheduling)));
    if let Some(low) = &shared.low {
        low.retune(&scheduling);
    }
}

/// How a service is, and whether it can do its work. Others than this machine are not told of its steps.
pub(crate) fn health(watched: &Watched, shared: &Shared, zero: &Zero, is_local: bool) -> (bool, Json) {
    let now_ns = zero.elapsed_ns();
    let seats = watched.lock();
    let low_seats = watched.lock_low();
    let stuck = seats.iter().filter(|seat| seat.board.is_stuck()).count();
    let status = match stuck {
        0 if low_seats.iter().all(|(_, board)| !board.is_stuck()) => "ok",
        n if n < seats.len() => "degraded",
        _ => "stuck",
    };
    let mut told = json!({ "status": status });
    if is_local {
        let worker = |(name, board): (&String, &Arc<Board>)| {
            let running = board.current.running();
            json!({
                "name": name,
                "stuck": board.is_stuck(),
                "busy_ns": board.tally.busy_ns(now_ns),
                "running": running.map(|running| json!({
                    "flow": shared.flow_name(running.flow),
                    "step": shared.step_name(running.flow, running.step),
                    "request": RequestId::from_u128(running.id).to_string(),
                    "for_ns": now_ns.saturating_sub(running.since_ns),
                })),
            })
        };
        let workers = seats.iter().map(|seat| (&seat.name, &seat.board));
        // Of the others only who hangs is of interest.
        let low = low_seats.iter().filter(|(_, board)| board.is_stuck()).map(|(name, board)| (name, board));
        told["workers"] = workers.chain(low).map(worker).collect();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &shared.counters;
        let [interactive, default, batch] = counters.shed.each_ref().map(count);
        told["shed"] = json!({ "interactive": interactive, "default": default, "batch": batch });
        told["moved"] = count(&counters.moved).into();
        let boards = shared.boards();
        let stolen: u64 = boards.iter().map(|(_, board)| board.tally.steals.get()).sum();
        told["stolen"] = stolen.into();
        told["overruns"] = count(&counters.overruns).into();
        let waiting = |class| snapshot::waiting(shared, &boards, class);
        told["waiting"] = json!({
            "interactive": waiting(Class::Interactive),
            "default": waiting(Class::Default),
            "batch": waiting(Class::Batch),
        });
        // Against which a worker's busy time is to be read.
        told["uptime_ns"] = now_ns.into();
    }
    (stuck < seats.len(), told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::worker::Inbox;

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

    #[test]
    fn a_worker_hangs_until_its_step_returns() {
        let shared = Shared::of_nothing(Duration::from_millis(10));
        let board = Board::default();
        let look = |now_ms: u64| look(&board, &shared, now_ms * 1_000_000, Kind::Worker);
        assert_eq!(look(100), None);
        board.current.begin(7, 0, 1, 100_000_000);
        assert_eq!((look(105), board.is_stuck()), (None, false));
        let told = look(111).unwrap();
        assert!(told.starts_with("hangs in a step of a flow for 11 ms, request 00000000-0000"), "{told}");
        assert_eq!((look(120), board.is_stuck()), (None, true), "said once");
        board.current.end();
        assert_eq!((look(130).as_deref(), board.is_stuck()), (Some("goes on"), false));
        // Without a core for a while, one of low priority does not hang.
        let low = |now_ms: u64| super::look(&board, &shared, now_ms * 1_000_000, Kind::Low);
        board.current.begin(7, 0, 1, 200_000_000);
        assert_eq!((low(299), board.is_stuck()), (None, false));
        assert!(low(301).is_some() && board.is_stuck());
    }
}
