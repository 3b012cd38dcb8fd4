//! The loop of a batch worker: a thread of low priority that takes requests out of the batch pool and runs them.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::sync::Semaphore;

use super::batch_pool::{Entrant, Low};
use crate::scheduler::dispatch::run_here::here;
use crate::scheduler::run_queue::Turns;
use crate::scheduler::threads::thread_status::Board;
use crate::server::service::Service;
use crate::time::Zero;

/// So many requests may wait for effects on one thread.
const IN_FLIGHT: usize = 256;

/// What each of these threads does, until no worker is left.
pub(crate) async fn work(low: Arc<Low>, service: Arc<Service>, zero: Arc<Zero>, board: Arc<Board>) {
    let room = Arc::new(Semaphore::new(IN_FLIGHT));
    let here = Rc::new(Here { service, board });
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Some(entrant) = low.status().door.next(|| low.next(zero.elapsed_ns())).await else { return };
        let (low, here) = (Arc::clone(&low), Rc::clone(&here));
        tokio::task::spawn_local(async move {
            let flow = entrant.way.flow;
            let ran_ns = here.carry(&low, entrant).await;
            low.ran(flow, ran_ns);
            drop(permit);
        });
        // It runs until it waits; then the next.
        tokio::task::yield_now().await;
    }
}

struct Here {
    service: Arc<Service>,
    board: Arc<Board>,
}

impl Here {
    /// Takes a request to its end, unless nobody wants it any more. How long its steps ran.
    async fn carry(&self, low: &Low, entrant: Entrant) -> u64 {
        let Entrant { held, way, mut back, .. } = entrant;
        let Some((mut live, context)) = held.take() else { return 0 };
        low.status().taken();
        let turns: Option<&Turns> = None;
        let mut ran_ns = 0;
        let carried = {
            let mut going = pin!(async {
                live.watch.tick();
                live.carried(&self.board);
                ran_ns = here(&self.service, &self.board, turns, false, &mut live, &context, &way).await.1;
                live
            });
            let mut closed = pin!(back.closed());
            poll_fn(|cx| {
                if let std::task::Poll::Ready(live) = going.as_mut().poll(cx) {
                    return std::task::Poll::Ready(Some(live));
                }
                closed.as_mut().poll(cx).map(|()| None)
            })
            .await
        };
        // Dropped, it records that its client has gone.
        if let Some(live) = carried {
            drop(back.send(Ok(live)));
        }
        ran_ns
    }
}

/// Gives this thread what the system leaves over. Where it has no such thing, the thread is as any other.
///
/// # Errors
/// When the system does not allow it.
pub(crate) fn lower_priority() -> Result<(), thread_priority::Error> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        thread_priority::set_current_thread_priority(ThreadPriority::Min)
    }
}
