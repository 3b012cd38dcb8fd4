//! The document that the health endpoint returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value as Json, json};
use zerver_engine::{Class, RequestId};

use super::thread_status::ThreadStatus;
use crate::scheduler::metrics::waiting_requests;
use crate::scheduler::shared_state::SchedulerState;
use crate::server::workers::thread_registry::ThreadRegistry;
use crate::time::ServiceClock;

/// Maximum number of open circuit breakers that are listed.
const MAX_BREAKERS: usize = 16;

/// Returns false if all workers are stuck, and the health document. Details, such as the running steps, are only for
/// local clients.
pub(crate) fn health(
    registry: &ThreadRegistry,
    scheduler: &SchedulerState,
    service_clock: &ServiceClock,
    is_local: bool,
) -> (bool, Json) {
    let now_ns = service_clock.elapsed_ns();
    let workers = registry.workers();
    let batch_workers = registry.batch_workers();
    let stuck = workers.iter().filter(|handle| handle.thread_status.is_stuck()).count();
    let status = match stuck {
        0 if batch_workers.iter().all(|(_, thread_status)| !thread_status.is_stuck()) => "ok",
        n if n < workers.len() => "degraded",
        _ => "stuck",
    };
    let mut document = json!({ "status": status });
    if is_local {
        let worker = |(name, thread_status): (&String, &Arc<ThreadStatus>)| {
            let running = thread_status.current_step.running();
            json!({
                "name": name,
                "stuck": thread_status.is_stuck(),
                "busy_ns": thread_status.counters.busy_ns(now_ns),
                "running": running.map(|running| json!({
                    "flow": scheduler.flow_name(running.flow),
                    "step": scheduler.step_name(running.flow, running.step),
                    "request": RequestId::from_u128(running.id).to_string(),
                    "for_ns": now_ns.saturating_sub(running.since_ns),
                })),
            })
        };
        let workers = workers.iter().map(|handle| (&handle.name, &handle.thread_status));
        // A batch worker is listed only if it is stuck.
        let stuck_batch_workers = batch_workers
            .iter()
            .filter(|(_, thread_status)| thread_status.is_stuck())
            .map(|(name, thread_status)| (name, thread_status));
        document["workers"] = workers.chain(stuck_batch_workers).map(worker).collect();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &scheduler.counters;
        let [interactive, default, batch] = counters.shed.each_ref().map(count);
        document["shed"] = json!({ "interactive": interactive, "default": default, "batch": batch });
        document["reclassified"] = count(&counters.reclassified).into();
        let threads = scheduler.threads();
        let stolen: u64 = threads.iter().map(|(_, thread_status)| thread_status.counters.steals.get()).sum();
        document["stolen"] = stolen.into();
        document["overruns"] = count(&counters.overruns).into();
        let waiting = |class| waiting_requests::waiting(scheduler, &threads, class);
        document["waiting"] = json!({
            "interactive": waiting(Class::Interactive),
            "default": waiting(Class::Default),
            "batch": waiting(Class::Batch),
        });
        let targets = scheduler.targets.all();
        let breakers = targets.iter().map(|target| (target.name(), target.breaker()));
        let open = breakers.filter(|(_, breaker)| *breaker != "closed").take(MAX_BREAKERS);
        document["breakers"] =
            open.map(|(target, breaker)| json!({ "target": target, "breaker": breaker })).collect();
        // The time to which `busy_ns` relates.
        document["uptime_ns"] = now_ns.into();
    }
    (stuck < workers.len(), document)
}
