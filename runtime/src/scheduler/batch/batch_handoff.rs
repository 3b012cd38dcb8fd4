//! Hands a request over to the batch pool, and waits for it: it comes back when it has ended, is taken back when it has
//! waited for too long, or is shed.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use zerver_engine::{Class, Refused, Stop, Why};

use super::batch_pool::{Entrant, Low};
use crate::effects::interpreter::Context;
use crate::execution::active_request::Live;
use crate::scheduler::dispatch::placement::Way;
use crate::scheduler::dispatch::shedding::refuse;
use crate::scheduler::sync::take_once::Held;
use crate::server::service::Service;
use crate::server::worker::Worker;

/// Takes a request to its end at low priority. Few go there, and it has room of its own: all others would have to keep
/// room for it.
pub(crate) async fn carry_low(
    worker: &Worker,
    way: Way,
    class: Class,
    is_new: bool,
    live: Live,
    context: Context,
) -> Live {
    let service = &*worker.service;
    let Some(low) = &worker.crew.low else { return live };
    let (back, returned) = oneshot::channel();
    let set = *service.schedule.tuning().scheduling.class(Class::Batch);
    let way = Way { quantum_ns: set.quantum_ns, ..way };
    let (start, since_ns) = (live.watch.at(0), way.base_ns + live.watch.now_ns());
    let held = Arc::new(Held::new((live, context)));
    let waits = Waits { low, held: Arc::clone(&held) };
    low.put(Entrant { held, way, is_new, since_ns, back });
    let mut returned = pin!(returned);
    let due_ns = way.base_ns.saturating_add(way.deadline_ns);
    let patience = [set.target_ns, set.interval_ns].map(|ns| since_ns.saturating_add(ns));
    let looks = patience.into_iter().filter(|&at_ns| is_new && at_ns < due_ns).chain([due_ns]);
    for at_ns in looks {
        let at = start + Duration::from_nanos(at_ns.saturating_sub(way.base_ns));
        tokio::select! {
            biased;
            ended = &mut returned => return came_back(service, class, ended).await,
            () = tokio::time::sleep_until(at.into()) => {}
        }
        let is_late = at_ns < due_ns;
        // A queue that only takes up a burst is left alone.
        if is_late && at_ns == patience[0] && low.status().busy_ns(at_ns) < set.interval_ns {
            continue;
        }
        let Some((mut live, _)) = waits.take_back() else { break };
        if is_late {
            refuse(service, &mut live, class, Why::Late);
        } else if let Some((job, watch)) = live.job() {
            job.stop(Stop::Deadline, watch.tick());
        }
        return live;
    }
    came_back(service, class, returned.await).await
}

/// A request comes back from a thread of low priority.
async fn came_back(
    service: &Service,
    class: Class,
    ended: Result<Result<Live, (Live, Refused)>, oneshot::error::RecvError>,
) -> Live {
    match ended {
        Ok(Ok(live)) => live,
        Ok(Err((mut live, refused))) => {
            refuse(service, &mut live, class, refused.why);
            live
        }
        // The service has stopped around it, and recorded that.
        Err(_) => std::future::pending().await,
    }
}

/// One that waits for a thread of low priority. Dropped, it waits no longer.
struct Waits<'l> {
    low: &'l Low,
    held: Arc<Held<(Live, Context)>>,
}

impl Waits<'_> {
    fn take_back(&self) -> Option<(Live, Context)> {
        self.held.take_back().inspect(|_| self.low.status().taken())
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        drop(self.take_back());
    }
}
