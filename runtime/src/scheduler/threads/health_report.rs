//! The document that the health endpoint answers with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value as Json, json};
use zerver_engine::{Class, RequestId};

use super::thread_registry::Watched;
use super::thread_status::Board;
use crate::scheduler::metrics::snapshot;
use crate::scheduler::shared_state::Shared;
use crate::time::Zero;

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
