//! The response to a request that is shed.

use http::{HeaderValue, header};
use zerver_engine::{Class, Failure, FailureKind, ShedReason};

use crate::execution::active_request::ActiveRequest;
use crate::scheduler::shared_state::SchedulerState;
use crate::server::service::Service;

/// Bounds of the `Retry-After` header, in seconds. Within them it is the longer of the time that the request has
/// taken and the current wait for a batch worker.
const RETRY_AFTER_S: (u64, u64) = (1, 30);

/// Sheds a request: answers 429 (RFC 6585) if its class is batch, and 503 for the other classes.
pub(crate) fn shed(service: &Service, active: &mut ActiveRequest, class: Class, reason: ShedReason) {
    let kind = if class == Class::Batch { FailureKind::Limited } else { FailureKind::Unavailable };
    let failure = Failure::new(kind, "capacity").message(format!("{class}: {}", reason.as_str()));
    SchedulerState::increment(&service.scheduler.counters.shed[class as usize]);
    active.watch.tick();
    let Some(request) = active.shared_request() else { return };
    let mut response = service.render(active.flow().map(|flow| &**flow), &failure, &request);
    let waited_ns = match &service.scheduler.batch {
        Some(batch) if class != Class::Interactive => batch.waited_ns(),
        _ => 0,
    };
    let (min_s, max_s) = RETRY_AFTER_S;
    let seconds = active.watch.now_ns().max(waited_ns).div_ceil(1_000_000_000).clamp(min_s, max_s);
    response.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    drop(request);
    if let Some((job, _)) = active.job() {
        job.reject(response, failure.to_string());
    }
}
