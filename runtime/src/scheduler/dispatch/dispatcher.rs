//! Takes one request through the scheduler to its end: here, or on a thread of low priority, or away.

use tokio::sync::oneshot;
use zerver_engine::{Class, Shed};

use super::placement::{DriveEnd, Placement};
use super::run_here::run_here;
use super::shedding::shed;
use super::stealable_request::StealableRequest;
use crate::effects::interpreter::EffectContext;
use crate::execution::active_request::ActiveRequest;
use crate::scheduler::batch::batch_handoff::run_in_batch_pool;
use crate::scheduler::run_queue::NotRunHere;
use crate::scheduler::shared_state::SchedulerState;
use crate::scheduler::tuning::Tuning;
use crate::server::service::Service;
use crate::server::workers::worker::Worker;

/// A request that goes on elsewhere.
pub(crate) struct Handoff {
    placement: Placement,
    /// The class it had.
    class: Class,
    destination: Destination,
}

enum Destination {
    /// At low priority; whether none of its steps has run.
    BatchPool { is_new: bool },
    /// Here when its turn comes, or on a worker that has nothing to do.
    RunQueue,
}

/// Takes a request whose body has been read to its end, or to where it goes on elsewhere. Dropping it cancels it.
pub(crate) async fn dispatch_request(
    worker: &Worker,
    active: &mut ActiveRequest,
    context: &EffectContext,
) -> Option<Handoff> {
    let (service, scheduler) = (&*worker.service, &worker.service.scheduler);
    let tuning = scheduler.tuning();
    classify(&tuning, active);
    let (class, id, base_ns) = (active.class, active.id, active.base_ns);
    let (job, watch) = active.job()?;
    let (flow, now_ns) = (job.flow().number(), watch.now_ns());
    let deadline_ns = now_ns.saturating_add(tuning.deadline_ns(job.flow()));
    let quantum_ns = tuning.scheduling.class(class).quantum_ns;
    drop(tuning);
    worker.thread_status.counters.started[class as usize].add(1);
    let placement = Placement { id, class, flow, base_ns, deadline_ns, quantum_ns };
    let overrunning_step = scheduler.overrunning_step(flow, base_ns + now_ns);
    if scheduler.batch.is_some() && (class == Class::Batch || overrunning_step.is_some()) {
        if let Some(step) = overrunning_step.filter(|_| class != Class::Batch) {
            move_to_batch_pool(scheduler, active, &placement, overruns(scheduler.step_name(flow, step)));
        }
        return Some(Handoff::to_batch_pool(placement, true));
    }
    if !worker.run_queue.admit(flow, base_ns + now_ns) {
        return Some(Handoff { placement, class, destination: Destination::RunQueue });
    }
    let drive_end =
        run_here(service, &worker.thread_status, Some(&worker.run_queue), false, active, context, &placement)
            .await
            .0;
    next_handoff(service, active, placement, Ok(drive_end))
}

/// Where a request goes that has run on a worker, or may not wait for one; nowhere if it has ended.
fn next_handoff(
    service: &Service,
    active: &mut ActiveRequest,
    placement: Placement,
    drive_end: Result<DriveEnd, Shed>,
) -> Option<Handoff> {
    let scheduler = &service.scheduler;
    match drive_end {
        Ok(DriveEnd::Finished) => None,
        Ok(DriveEnd::Reclassified(step)) => {
            move_to_batch_pool(
                scheduler,
                active,
                &placement,
                overruns(scheduler.step_name(placement.flow, step)),
            );
            Some(Handoff::to_batch_pool(placement, false))
        }
        Err(refused) if scheduler.batch.is_some() && refused.fallback_class().is_some() => {
            move_to_batch_pool(scheduler, active, &placement, refused.reason.as_str().to_owned());
            Some(Handoff::to_batch_pool(placement, true))
        }
        Err(refused) => {
            shed(service, active, placement.class, refused.reason);
            None
        }
    }
}

/// Says that it leaves its class.
fn move_to_batch_pool(
    scheduler: &SchedulerState,
    active: &mut ActiveRequest,
    placement: &Placement,
    reason: String,
) {
    if let Some((job, watch)) = active.job() {
        job.record_reclassified(watch.now_ns(), placement.class, Class::Batch, reason);
    }
    SchedulerState::increment(&scheduler.counters.reclassified);
}

impl Handoff {
    const fn to_batch_pool(placement: Placement, is_new: bool) -> Self {
        Self {
            placement: Placement { class: Class::Batch, ..placement },
            class: placement.class,
            destination: Destination::BatchPool { is_new },
        }
    }

    /// Takes it to its end.
    pub(crate) async fn complete(
        self,
        worker: &Worker,
        active: ActiveRequest,
        context: EffectContext,
    ) -> ActiveRequest {
        let service = &*worker.service;
        let Self { placement, class, destination } = self;
        if let Destination::BatchPool { is_new } = destination {
            return Box::pin(run_in_batch_pool(worker, placement, class, is_new, active, context)).await;
        }
        let (mut active, drive_end) = run_after_queueing(worker, placement, active, context.clone()).await;
        match next_handoff(service, &mut active, placement, drive_end) {
            Some(Self { placement, class, destination: Destination::BatchPool { is_new } }) => {
                Box::pin(run_in_batch_pool(worker, placement, class, is_new, active, context)).await
            }
            // It waits for a turn once.
            Some(Self { destination: Destination::RunQueue, .. }) | None => active,
        }
    }
}

/// Takes a request here when its turn comes, unless another worker has it first.
async fn run_after_queueing(
    worker: &Worker,
    placement: Placement,
    active: ActiveRequest,
    context: EffectContext,
) -> (ActiveRequest, Result<DriveEnd, Shed>) {
    let Worker { service, thread_status, run_queue, .. } = worker;
    let (back, returned) = oneshot::channel();
    let now_ns = placement.now_ns(&active);
    let stealable = Box::new(StealableRequest { active, context, placement, back });
    match run_queue.enqueue(stealable, placement.class, placement.flow, now_ns).await {
        Ok(stealable) => {
            let StealableRequest { mut active, context, .. } = *stealable;
            active.watch.tick();
            let drive_end =
                run_here(service, thread_status, Some(run_queue), true, &mut active, &context, &placement)
                    .await
                    .0;
            (active, Ok(drive_end))
        }
        Err(NotRunHere::Shed(refused, stealable)) => {
            let StealableRequest { mut active, .. } = *stealable;
            active.watch.tick();
            (active, Err(refused))
        }
        Err(NotRunHere::Stolen) => match returned.await {
            Ok((active, drive_end)) => (active, Ok(drive_end)),
            // The service has stopped around it, and recorded that.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Gives it the class that the first matching rule says.
fn classify(tuning: &Tuning, active: &mut ActiveRequest) {
    if tuning.rules.is_empty() {
        return;
    }
    let Some(request) = active.request() else { return };
    let found = tuning.rules.iter().find_map(|rule| Some((rule.class_of(request)?, rule)));
    let Some((class, rule)) = found else { return };
    let from = std::mem::replace(&mut active.class, class);
    if let (Some((job, watch)), true) = (active.job(), from != class) {
        job.record_reclassified(watch.now_ns(), from, class, rule.reason().to_owned());
    }
}

fn overruns(step: &str) -> String {
    format!("{step} often exceeds its quantum")
}
