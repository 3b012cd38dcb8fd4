//! Looks at the workers from outside: which of them hang in a step, and how all of them are.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::board::{Board, Running};
use super::shared::{Shared, Tuning};
use crate::notice;
use crate::time::{Zero, nanos};
use crate::worker::{Message, Outbox};

/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// The workers of a service that take connections.
#[derive(Default)]
pub(crate) struct Watched {
    seats: Mutex<Vec<Seat>>,
    /// Set while the seats are locked.
    is_draining: AtomicBool,
}

pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) board: Arc<Board>,
    pub(crate) outbox: Outbox,
}

impl Watched {
    pub(crate) fn add(&self, seat: Seat) {
        let mut seats = self.lock();
        // It came while all were told.
        if self.is_draining.load(Ordering::Relaxed) {
            let _ = seat.outbox.send(Message::Drain);
        }
        seats.push(seat);
    }

    /// Gives a message to the next worker from `turn` on that does not hang; to any if all do. Where it went.
    pub(crate) fn send(&self, turn: usize, message: Message) -> Option<usize> {
        let seats = self.lock();
        let count = seats.len();
        let order = (0..count).map(|step| (turn + step) % count);
        let at = order.clone().find(|&at| !seats[at].board.is_stuck()).or_else(|| order.clone().next())?;
        seats[at].outbox.send(message).ok().map(|()| at)
    }

    /// Tells all to drain.
    pub(crate) fn drain(&self) {
        let seats = self.lock();
        self.is_draining.store(true, Ordering::Relaxed);
        for seat in &*seats {
            let _ = seat.outbox.send(Message::Drain);
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

/// Watches until `stop` hangs up. Each worker that hangs is replaced once, as long as there are not twice as many as
/// there were.
pub(crate) fn watch(
    watched: &Watched,
    shared: &Shared,
    zero: &Zero,
    stop: &Receiver<()>,
    mut replace: impl FnMut(),
) {
    let mut left = watched.lock().len();
    while stop.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        let now_ns = zero.elapsed_ns();
        let changed: Vec<_> = {
            let seats = watched.lock();
            let look =
                |seat: &Seat| look(&seat.board, shared, now_ns).map(|text| format!("{} {text}", seat.name));
            seats.iter().filter_map(|seat| Some((look(seat)?, seat.board.is_stuck()))).collect()
        };
        for (text, is_stuck) in changed {
            notice::warn(&text);
            if is_stuck && left > 0 && !watched.is_draining.load(Ordering::Relaxed) {
                left -= 1;
                replace();
            }
        }
    }
}

/// Marks a worker as hanging, or as no longer so, and says it.
fn look(board: &Board, shared: &Shared, now_ns: u64) -> Option<String> {
    let running = board.running();
    let too_long = |running: &Running| now_ns.saturating_sub(running.since_ns) > nanos(shared.stuck_after);
    match (running.filter(too_long), board.is_stuck()) {
        (Some(running), false) => {
            board.mark(true);
            if let Some(low) = &shared.low {
                low.sender_leaves(board);
            }
            let ms = now_ns.saturating_sub(running.since_ns) / 1_000_000;
            let step = shared.step_name(running.flow, running.step);
            let flow = shared.flow_name(running.flow);
            Some(format!(
                "hangs in {step} of {flow} for {ms} ms, request {}: its connections wait, another worker takes new ones",
                running.id
            ))
        }
        (None, true) => {
            board.mark(false);
            if let Some(low) = &shared.low {
                low.sender_is_back(board);
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
    let stuck = seats.iter().filter(|seat| seat.board.is_stuck()).count();
    let status = match stuck {
        0 => "ok",
        n if n < seats.len() => "degraded",
        _ => "stuck",
    };
    let mut told = json!({ "status": status });
    if is_local {
        let worker = |seat: &Seat| {
            let running = seat.board.running();
            json!({
                "name": seat.name,
                "stuck": seat.board.is_stuck(),
                "running": running.map(|running| json!({
                    "flow": shared.flow_name(running.flow),
                    "step": shared.step_name(running.flow, running.step),
                    "request": running.id.to_string(),
                    "for_ns": now_ns.saturating_sub(running.since_ns),
                })),
            })
        };
        told["workers"] = seats.iter().map(worker).collect();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &shared.counters;
        let [interactive, default, batch] = counters.shed.each_ref().map(count);
        told["shed"] = json!({ "interactive": interactive, "default": default, "batch": batch });
        told["moved"] = count(&counters.moved).into();
        told["stolen"] = count(&counters.stolen).into();
        told["overruns"] = count(&counters.overruns).into();
        told["batch_waiting"] = shared.low.as_ref().map_or(0, |low| low.waiting()).into();
    }
    (stuck < seats.len(), told)
}

#[cfg(test)]
mod tests {
    use zerver_engine::RequestId;

    use super::*;

    #[test]
    fn a_worker_hangs_until_its_step_returns() {
        let shared = Shared::of_nothing(Duration::from_millis(10));
        let board = Board::default();
        let look = |now_ms: u64| look(&board, &shared, now_ms * 1_000_000);
        assert_eq!(look(100), None);
        board.begin(RequestId::from_u128(7), 0, 1, 100_000_000);
        assert_eq!((look(105), board.is_stuck()), (None, false));
        let told = look(111).unwrap();
        assert!(told.starts_with("hangs in a step of a flow for 11 ms, request 00000000-0000"), "{told}");
        assert_eq!((look(120), board.is_stuck()), (None, true), "said once");
        board.end();
        assert_eq!((look(130).as_deref(), board.is_stuck()), (Some("goes on"), false));
    }
}
