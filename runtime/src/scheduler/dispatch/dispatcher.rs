//! Takes one request through the scheduler to its end: here, or on a thread of low priority, or away.

use tokio::sync::oneshot;
use zerver_engine::{Class, Refused};

use super::placement::{Drove, Way};
use super::run_here::here;
use super::shedding::refuse;
use super::stolen_request::Guest;
use crate::effects::interpreter::Context;
use crate::execution::active_request::Live;
use crate::scheduler::batch::batch_handoff::carry_low;
use crate::scheduler::run_queue::NotHere;
use crate::scheduler::shared_state::Shared;
use crate::scheduler::tuning::Tuning;
use crate::server::service::Service;
use crate::server::worker::Worker;

/// A request that goes on elsewhere.
pub(crate) struct Elsewhere {
    way: Way,
    /// The class it had.
    class: Class,
    to: To,
}

enum To {
    /// At low priority; whether none of its steps has run.
    Low { is_new: bool },
    /// Here when its turn comes, or on a worker that has nothing to do.
    Turn,
}

/// Takes a request whose body has been read to its end, or to where it goes on elsewhere. Dropping it cancels it.
pub(crate) async fn carry(worker: &Worker, live: &mut Live, context: &Context) -> Option<Elsewhere> {
    let (service, shared) = (&*worker.service, &worker.service.schedule);
    let tuning = shared.tuning();
    classify(&tuning, live);
    let (class, id, base_ns) = (live.class, live.id, live.base_ns);
    let (job, watch) = live.job()?;
    let (flow, now_ns) = (job.flow().number(), watch.now_ns());
    let deadline_ns = now_ns.saturating_add(tuning.deadline_ns(job.flow()));
    let quantum_ns = tuning.scheduling.class(class).quantum_ns;
    drop(tuning);
    worker.board.tally.began[class as usize].add(1);
    let way = Way { id, class, flow, base_ns, deadline_ns, quantum_ns };
    let slow_step = shared.slow_step(flow, base_ns + now_ns);
    if shared.batch.is_some() && (class == Class::Batch || slow_step.is_some()) {
        if let Some(step) = slow_step.filter(|_| class != Class::Batch) {
            move_to_low(shared, live, &way, overruns(shared.step_name(flow, step)));
        }
        return Some(Elsewhere::low(way, true));
    }
    if !worker.turns.begin(flow, base_ns + now_ns) {
        return Some(Elsewhere { way, class, to: To::Turn });
    }
    let drove = here(service, &worker.board, Some(&worker.turns), false, live, context, &way).await.0;
    after(service, live, way, Ok(drove))
}

/// Where a request goes that has run on a worker, or may not wait for one; nowhere if it has ended.
fn after(service: &Service, live: &mut Live, way: Way, drove: Result<Drove, Refused>) -> Option<Elsewhere> {
    let shared = &service.schedule;
    match drove {
        Ok(Drove::Ended) => None,
        Ok(Drove::Slow(step)) => {
            move_to_low(shared, live, &way, overruns(shared.step_name(way.flow, step)));
            Some(Elsewhere::low(way, false))
        }
        Err(refused) if shared.batch.is_some() && refused.instead().is_some() => {
            move_to_low(shared, live, &way, refused.why.as_str().to_owned());
            Some(Elsewhere::low(way, true))
        }
        Err(refused) => {
            refuse(service, live, way.class, refused.why);
            None
        }
    }
}

/// Says that it leaves its class.
fn move_to_low(shared: &Shared, live: &mut Live, way: &Way, reason: String) {
    if let Some((job, watch)) = live.job() {
        job.moved(watch.now_ns(), way.class, Class::Batch, reason);
    }
    Shared::count(&shared.counters.moved);
}

impl Elsewhere {
    const fn low(way: Way, is_new: bool) -> Self {
        Self { way: Way { class: Class::Batch, ..way }, class: way.class, to: To::Low { is_new } }
    }

    /// Takes it to its end.
    pub(crate) async fn carry(self, worker: &Worker, live: Live, context: Context) -> Live {
        let service = &*worker.service;
        let Self { way, class, to } = self;
        if let To::Low { is_new } = to {
            return Box::pin(carry_low(worker, way, class, is_new, live, context)).await;
        }
        let (mut live, drove) = carry_turn(worker, way, live, context.clone()).await;
        match after(service, &mut live, way, drove) {
            Some(Self { way, class, to: To::Low { is_new } }) => {
                Box::pin(carry_low(worker, way, class, is_new, live, context)).await
            }
            // It waits for a turn once.
            Some(Self { to: To::Turn, .. }) | None => live,
        }
    }
}

/// Takes a request here when its turn comes, unless another worker has it first.
async fn carry_turn(
    worker: &Worker,
    way: Way,
    live: Live,
    context: Context,
) -> (Live, Result<Drove, Refused>) {
    let Worker { service, board, turns, .. } = worker;
    let (back, returned) = oneshot::channel();
    let now_ns = way.now_ns(&live);
    let guest = Box::new(Guest { live, context, way, back });
    match turns.wait(guest, way.class, way.flow, now_ns).await {
        Ok(guest) => {
            let Guest { mut live, context, .. } = *guest;
            live.watch.tick();
            let drove = here(service, board, Some(turns), true, &mut live, &context, &way).await.0;
            (live, Ok(drove))
        }
        Err(NotHere::Refused(refused, guest)) => {
            let Guest { mut live, .. } = *guest;
            live.watch.tick();
            (live, Err(refused))
        }
        Err(NotHere::Given) => match returned.await {
            Ok((live, drove)) => (live, Ok(drove)),
            // The service has stopped around it, and recorded that.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Gives it the class that the first matching rule says.
fn classify(tuning: &Tuning, live: &mut Live) {
    if tuning.rules.is_empty() {
        return;
    }
    let Some(request) = live.request() else { return };
    let found = tuning.rules.iter().find_map(|rule| Some((rule.class_of(request)?, rule)));
    let Some((class, rule)) = found else { return };
    let from = std::mem::replace(&mut live.class, class);
    if let (Some((job, watch)), true) = (live.job(), from != class) {
        job.moved(watch.now_ns(), from, class, rule.reason().to_owned());
    }
}

fn overruns(step: &str) -> String {
    format!("{step} overruns its time often")
}
