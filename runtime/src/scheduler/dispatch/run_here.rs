//! Runs a request on the current thread, until it ends or has to continue elsewhere.

use std::sync::Arc;

use super::placement::{Drove, Way};
use crate::effects::interpreter::Context;
use crate::execution::active_request::Live;
use crate::execution::driver::drive;
use crate::scheduler::run_queue::Turns;
use crate::scheduler::run_slice::Lane;
use crate::scheduler::threads::thread_status::Board;
use crate::server::service::Service;

/// Drives it on this thread, with a turn or without one; also how long its steps ran.
pub(crate) async fn here(
    service: &Service,
    board: &Arc<Board>,
    turns: Option<&Turns>,
    has_turn: bool,
    live: &mut Live,
    context: &Context,
    way: &Way,
) -> (Drove, u64) {
    live.enter(board);
    let Some((job, watch)) = live.job() else { return (Drove::Ended, 0) };
    let began_ns = watch.now_ns();
    let lane = Lane::new(service, board, turns, has_turn, way, began_ns);
    let drove = drive(job, watch, service, context, way.deadline_ns, &lane).await;
    lane.stop();
    let ran_ns = lane.ran_ns();
    live.leave();
    (drove, ran_ns)
}
