//! Runs a request that this worker took from another one.

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};

use super::run_here::here;
use super::stolen_request::Guest;
use crate::server::worker::Worker;

/// Takes it to its end, or to where it goes elsewhere, unless nobody wants it any more.
pub(crate) async fn run_stolen(stolen: Guest, worker: Rc<Worker>) {
    let Guest { mut live, context, way, mut back } = stolen;
    worker.board.tally.steals.add(1);
    let going = pin!(async {
        live.watch.tick();
        let Worker { service, board, turns, .. } = &*worker;
        live.carried(board);
        let has_turn = turns.enter_again(way.class, way.flow, way.now_ns(&live)).await;
        if has_turn {
            live.watch.tick();
        }
        let drove = here(service, board, Some(turns), has_turn, &mut live, &context, &way).await.0;
        (live, drove)
    });
    // Dropped, it records that its client has gone.
    let ended = match select(going, pin!(back.closed())).await {
        Either::Left((ended, _)) => Some(ended),
        Either::Right(_) => None,
    };
    if let Some(ended) = ended {
        drop(back.send(ended));
    }
}
