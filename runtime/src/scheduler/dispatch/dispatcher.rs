//! Leads one request through the scheduler: it runs on this worker, waits in the run queue, moves to the batch pool or
//! another worker, or is shed.

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

/// A request that continues elsewhere.
pub(crate) struct Handoff {
    placement: Placement,
    /// Class of the request before the handoff.
    class: Class,
    destination: Destination,
}

enum Destination {
    /// The batch pool. `is_new` is true if no step has run.
    BatchPool { is_new: bool },
    /// The run queue of this worker, from which an idle worker may steal it.
    RunQueue,
}

/// Runs a request whose body has been read. Returns `None` once it has ended, or a handoff if it continues elsewhere.
/// Dropping the future cancels the request.
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

/// Returns the handoff for a request that has run on a worker or may not wait for one, or `None` if it has ended.
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

/// Records that the request moves from its class to the batch class.
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

    /// Runs the request to its end.
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
            // A request waits for its first turn only once.
            Some(Self { destination: Destination::RunQueue, .. }) | None => active,
        }
    }
}

/// Runs a request on this worker when its turn comes, or waits for its return if another worker takes it first.
async fn run_after_queueing(
    worker: &Worker,
    placement: Placement,
    active: ActiveRequest,
    context: EffectContext,
) -> (ActiveRequest, Result<DriveEnd, Shed>) {
    let Worker { service, thread_status, run_queue, .. } = worker;
    let (return_tx, return_rx) = oneshot::channel();
    let now_ns = placement.now_ns(&active);
    let stealable = Box::new(StealableRequest { active, context, placement, return_tx });
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
        Err(NotRunHere::Stolen) => match return_rx.await {
            Ok((active, drive_end)) => (active, Ok(drive_end)),
            // The service stopped while the request ran, and has recorded it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Reclassifies the request according to the first rule that matches.
fn classify(tuning: &Tuning, active: &mut ActiveRequest) {
    if tuning.rules.is_empty() {
        return;
    }
    let Some(request) = active.request() else { return };
    let matching = tuning.rules.iter().find_map(|rule| Some((rule.class_of(request)?, rule)));
    let Some((class, rule)) = matching else { return };
    let from = std::mem::replace(&mut active.class, class);
    if let (Some((job, watch)), true) = (active.job(), from != class) {
        job.record_reclassified(watch.now_ns(), from, class, rule.reason().to_owned());
    }
}

fn overruns(step: &str) -> String {
    format!("{step} often exceeds its quantum")
}
