//! The start of a call: the delays, policies and limits that it has to pass before it is performed.

use std::time::Duration;

use zerver_engine::{EffectError, EffectErrorKind, RequestedCall};
use zerver_trace::{PolicyDecision, QueueReason};

use super::effect_future::{
    CallAccess, Completion, EffectFuture, RunningEffect, past_deadline, perform, perform_with_permit,
};
use crate::effects::interpreter;
use crate::effects::interpreter::{Interpreters, Started};
use crate::scheduler::{Admission, CallRefusal, EffectAccess, PolicyNote, TargetCall, TargetPass};
use crate::time::{Stopwatch, nanos};

/// A call that is to be started now.
pub(crate) struct DueCall {
    requested: RequestedCall,
    /// True if the call has waited for the rate limit of its target.
    has_rate_place: bool,
}

/// A call after its start.
pub(crate) struct StartedEffect {
    pub(crate) state: Started<Completion, EffectFuture>,
    /// Decisions of policies at the start.
    pub(crate) notes: Vec<PolicyNote>,
    /// The call, if it has a target and was ready at once.
    pub(crate) call: Option<TargetCall>,
}
impl StartedEffect {
    const fn pending(effect: EffectFuture) -> Self {
        Self { state: Started::Pending(effect), notes: Vec::new(), call: None }
    }

    fn failed(error: EffectError) -> Self {
        Self { state: Started::Ready(Completion::new(Err(error))), notes: Vec::new(), call: None }
    }

    fn refused(CallRefusal { error, note }: CallRefusal, call: Option<TargetCall>) -> Self {
        Self { state: Started::Ready(Completion::new(Err(error))), notes: vec![note], call }
    }
}

impl DueCall {
    pub(crate) const fn new(requested: RequestedCall) -> Self {
        Self { requested, has_rate_place: false }
    }

    /// Returns the number of the call.
    pub(crate) const fn number(&self) -> u32 {
        self.requested.number
    }

    fn after(self, delay: Duration, reason: QueueReason) -> StartedEffect {
        StartedEffect::pending(EffectFuture::delayed(self, delay, reason))
    }
}

/// Starts a call. A call that must wait for a delay, its place under a rate limit, or a permit is returned as pending.
pub(crate) fn start(
    mut due: DueCall,
    watch: &Stopwatch,
    deadline_ns: u64,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
    needs: &EffectAccess<'_>,
) -> StartedEffect {
    let requested = &mut due.requested;
    if requested.deadline_ns.is_some_and(|deadline_ns| deadline_ns <= watch.now_ns()) {
        return StartedEffect::failed(past_deadline());
    }
    let until = requested.deadline_ns.map(|deadline_ns| watch.at(deadline_ns));
    let runtime = needs.runtime;
    let pause = std::mem::take(&mut requested.pause);
    if !pause.is_zero() {
        let reason = if requested.is_hedge { QueueReason::Hedge } else { QueueReason::RetryDelay };
        return due.after(pause, reason);
    }
    let Some(name) = requested.call.target() else {
        return match needs.acquire_permit(&requested.call, None) {
            Admission::Granted(permit) => {
                let access = || CallAccess {
                    permit: permit.or_else(|| needs.count_in_flight(&requested.call)),
                    ..CallAccess::default()
                };
                started(perform(requested, until, runtime, interpreters, context, access), None)
            }
            Admission::Queued(wait) => StartedEffect::pending(EffectFuture::Running(perform_with_permit(
                due.requested,
                until,
                wait,
                None,
                runtime,
                interpreters,
                context,
            ))),
        };
    };
    let ends_ns = requested.deadline_ns.map_or(deadline_ns, |until_ns| until_ns.min(deadline_ns));
    let left = Duration::from_nanos(ends_ns.saturating_sub(watch.now_ns()));
    let now = (needs.service_ns(watch), watch.now());
    let call = needs.find_target(&name, watch).map(|target| TargetCall::new(target, requested, now, left));
    if let Some(call) = &call {
        if requested.is_hedge && !call.target.take_retry(now.0) {
            let error = EffectError::new(EffectErrorKind::Refused, "the retry budget is exhausted");
            let note = (PolicyDecision::BudgetExhausted, 0);
            return StartedEffect::refused(CallRefusal { error, note }, None);
        }
        let placed = match due.has_rate_place {
            true => Ok(0),
            false => call.target.reserve_rate(now.0, nanos(left)),
        };
        match placed {
            Ok(0) => {}
            Ok(wait_ns) => {
                drop(name);
                due.has_rate_place = true;
                return due.after(Duration::from_nanos(wait_ns), QueueReason::Rate);
            }
            Err(refusal) => return StartedEffect::refused(refusal, None),
        }
        if let Err(refusal) = call.target.check(now.0) {
            return StartedEffect::refused(refusal, None);
        }
    }
    let places = call.as_ref().and_then(|call| call.target.places());
    match needs.acquire_permit(&requested.call, Some((&name, places))) {
        Admission::Granted(permit) => {
            let pass = match call.as_ref().map(|call| call.begin(now.1)).transpose() {
                Ok(pass) => pass,
                Err(refusal) => return StartedEffect::refused(refusal, None),
            };
            let probe = pass.as_ref().and_then(TargetPass::start_note);
            let permit = permit.or_else(|| needs.count_in_flight(&requested.call));
            let access = CallAccess { permit, pass, call: call.clone() };
            let performed = perform(requested, until, runtime, interpreters, context, || access);
            let mut started = started(performed, call);
            // A call that is ready at once may already have closed the breaker.
            started.notes.splice(..0, probe);
            started
        }
        Admission::Queued(wait) => {
            drop(name);
            StartedEffect::pending(EffectFuture::Running(perform_with_permit(
                due.requested,
                until,
                wait,
                call,
                runtime,
                interpreters,
                context,
            )))
        }
    }
}

fn started(performed: Started<Completion, RunningEffect>, call: Option<TargetCall>) -> StartedEffect {
    match performed {
        Started::Ready(mut completion) => {
            let notes = std::mem::take(&mut completion.notes);
            StartedEffect { state: Started::Ready(completion), notes, call }
        }
        Started::Pending(effect) => StartedEffect::pending(EffectFuture::Running(effect)),
    }
}
