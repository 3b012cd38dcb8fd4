//! Runs a request that this worker has taken from another.

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};

use super::run_here::run_here;
use super::stealable_request::StealableRequest;
use crate::server::workers::worker::Worker;

/// Runs a stolen request until it ends, has to continue elsewhere, or its own worker no longer waits for it.
pub(crate) async fn run_stolen(stolen: StealableRequest, worker: Rc<Worker>) {
    let StealableRequest { mut active, context, placement, mut return_tx } = stolen;
    worker.thread_status.counters.steals.add(1);
    let run = pin!(async {
        active.watch.tick();
        let Worker { service, thread_status, run_queue, .. } = &*worker;
        active.migrated_to(thread_status);
        let has_turn = run_queue.reenter(placement.class, placement.flow, placement.now_ns(&active)).await;
        if has_turn {
            active.watch.tick();
        }
        let drive_end =
            run_here(service, thread_status, Some(run_queue), has_turn, &mut active, &context, &placement)
                .await
                .0;
        (active, drive_end)
    });
    // If its worker no longer waits for it, the request is dropped, which records that the client left.
    let ended = match select(run, pin!(return_tx.closed())).await {
        Either::Left((ended, _)) => Some(ended),
        Either::Right(_) => None,
    };
    if let Some(ended) = ended {
        drop(return_tx.send(ended));
    }
}
