//! The response to a request that overload protection refuses.

use http::{HeaderValue, header};
use zerver_engine::{Class, Failure, FailureKind, ShedReason};

use crate::execution::active_request::ActiveRequest;
use crate::scheduler::shared_state::SchedulerState;
use crate::server::service::Service;

/// After how many seconds who was sent away may try again: as long as one waits, within these bounds.
const RETRY_AFTER_S: (u64, u64) = (1, 30);

/// Sends it away: an interactive one and a default one with 503, a batch one with 429 (RFC 6585).
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
    let (least, most) = RETRY_AFTER_S;
    let seconds = active.watch.now_ns().max(waited_ns).div_ceil(1_000_000_000).clamp(least, most);
    response.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    drop(request);
    if let Some((job, _)) = active.job() {
        job.reject(response, failure.to_string());
    }
}
