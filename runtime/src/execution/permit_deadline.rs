//! The wait of a call for its permit, which ends with the deadline of its effect, or when too little time is left for an
//! answer of its target.

use std::time::Instant;

use super::effect_future::{Completion, past_deadline};
use crate::scheduler::{Permit, PermitWait, TargetCall};

/// Waits for a permit. Returns the end of the call if there is none in time.
pub(super) async fn await_permit(
    wait: PermitWait,
    until: Option<Instant>,
    call: Option<&TargetCall>,
) -> Result<Permit, Completion> {
    let place_until = call.and_then(TargetCall::place_until);
    let Some(at) = until.into_iter().chain(place_until).min() else { return Ok(wait.await) };
    match (tokio::time::timeout_at(at.into(), wait).await, call) {
        (Ok(permit), _) => Ok(permit),
        (Err(_), Some(call)) if place_until == Some(at) => Err(Completion::refused(call.no_place())),
        (Err(_), _) => Err(Completion::new(Err(past_deadline()))),
    }
}
