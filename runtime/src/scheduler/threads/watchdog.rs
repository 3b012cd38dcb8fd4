//! Looks at the workers from outside: which of them hang in a step, and how all of them are.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use zerver_engine::RequestId;

use super::thread_registry::Watched;
use super::thread_status::Board;
use crate::program::notice;
use crate::scheduler::shared_state::Shared;
use crate::scheduler::sync::current_step::Running;
use crate::time::{Zero, nanos};

/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// A thread of low priority may be without a core for so many times longer until it counts as hanging.
const LOW_PATIENCE: u64 = 10;

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
            if is_stuck && *left > 0 && !watched.is_draining() {
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
    let batch = shared.batch.as_ref().filter(|_| kind == Kind::Worker);
    match (running.filter(too_long), board.is_stuck()) {
        (Some(running), false) => {
            board.mark(true);
            if let Some(batch) = batch {
                batch.door.rests(&board.pass);
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
            if let Some(batch) = batch {
                batch.door.goes_on(&board.pass);
            }
            Some("goes on".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
