//! A call to a target: its pass while it is in flight, and the decision about another attempt afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use zerver_engine::{
    Assessor, AttemptEnd, BreakerPass, Call, CallOutcome, CallResult, EffectError, EffectErrorKind,
    RequestedCall, RetryVerdict, max_place_wait_ns,
};
use zerver_trace::PolicyDecision;
use zerver_trace::duration::HumanDuration;

use super::target::{CallRefusal, Target, default_pause};
use crate::time::nanos;

/// A decision, and the time that it is about, in nanoseconds.
pub(crate) type PolicyNote = (PolicyDecision, u64);

/// State of a call to a target.
#[derive(Clone)]
pub(crate) struct TargetCall {
    pub(crate) target: Arc<Target>,
    assessor: Assessor,
    attempt: u16,
    /// The call, if the policy of the target may repeat it.
    call: Option<Call>,
    /// Time limit of a call that has none of its own.
    pub(crate) timeout: Option<Duration>,
    /// Time of the start on the clock of the service, and as an instant.
    pub(crate) now: (u64, Instant),
    /// Time until the deadline of the request or of its effect.
    pub(crate) left: Duration,
}

/// A call in flight. If it is dropped before it ends, its result says nothing about the target, unless the deadline has
/// passed: a target that never answers would not be noticed otherwise.
pub(crate) struct TargetPass {
    call: TargetCall,
    pass: Option<BreakerPass>,
    began: Instant,
    has_ended: bool,
}

impl TargetCall {
    pub(crate) fn new(
        target: Arc<Target>,
        requested: &RequestedCall,
        now: (u64, Instant),
        left: Duration,
    ) -> Self {
        let RequestedCall { call, attempt, .. } = requested;
        let policy = target.policy();
        let repeatable = (policy.attempts > 1 && call.is_idempotent()).then(|| call.clone());
        let timeout = policy.timeout;
        drop(policy);
        Self { target, assessor: call.assessor(), attempt: *attempt, call: repeatable, timeout, now, left }
    }

    /// Begins the call at this instant.
    pub(crate) fn begin(&self, at: Instant) -> Result<TargetPass, CallRefusal> {
        let pass = self.target.begin(self.attempt, self.service_ns(at))?;
        Ok(TargetPass { call: self.clone(), pass, began: at, has_ended: false })
    }

    /// Returns the time until which the call may wait for a place. `None` if that is too far away to be a time.
    pub(crate) fn place_until(&self) -> Option<Instant> {
        self.now.1.checked_add(Duration::from_nanos(max_place_wait_ns(nanos(self.left))))
    }

    /// Returns the refusal of a call that has waited for a place for too long.
    pub(crate) fn no_place(&self) -> CallRefusal {
        let wait_ns = max_place_wait_ns(nanos(self.left));
        let wait = HumanDuration { ns: wait_ns };
        let reason =
            format!("{}: no place within {wait}, half of the time until the deadline", self.target.name());
        CallRefusal {
            error: EffectError::new(EffectErrorKind::Refused, reason),
            note: (PolicyDecision::PlaceRefused, wait_ns),
        }
    }

    fn service_ns(&self, at: Instant) -> u64 {
        self.now.0 + nanos(at.saturating_duration_since(self.now.1))
    }

    /// Decides about another attempt. `left` is the time until the deadline.
    pub(crate) fn decide(
        &self,
        end: &AttemptEnd<'_>,
        now_ns: u64,
        left: Duration,
    ) -> (RetryVerdict, Option<PolicyNote>) {
        let own = (RetryVerdict::Own, None);
        let assessment = self.assessor.assess(end.result);
        let policy = self.target.policy();
        let repeated = self.call.as_ref().filter(|_| assessment.is_temporary && !end.has_own_policy);
        let pause = match (end.own_pause, repeated) {
            (Some(pause), _) => pause,
            (None, Some(_)) => match default_pause(&policy, end) {
                Some(pause) => pause,
                None => return own,
            },
            (None, None) => return own,
        };
        if let Some(asked) = assessment.retry_after
            && (asked > policy.retry_after_max || asked >= left)
        {
            return (RetryVerdict::Stop, Some((PolicyDecision::RetryAfterTooLong, nanos(asked))));
        }
        if pause >= left {
            return own;
        }
        if !self.target.take_retry(now_ns) {
            return (RetryVerdict::Stop, Some((PolicyDecision::BudgetExhausted, 0)));
        }
        let asked = assessment.retry_after.map(|asked| asked.max(pause));
        match (repeated, asked) {
            (Some(call), Some(asked)) => (
                RetryVerdict::Again(call.clone(), asked),
                Some((PolicyDecision::RetryAfterObeyed, nanos(asked))),
            ),
            (Some(call), None) => {
                (RetryVerdict::Again(call.clone(), pause), Some((PolicyDecision::Retried, nanos(pause))))
            }
            (None, Some(asked)) => {
                (RetryVerdict::After(asked), Some((PolicyDecision::RetryAfterObeyed, nanos(asked))))
            }
            (None, None) => own,
        }
    }
}

impl TargetPass {
    /// Returns the decision to note at the start of the call.
    pub(crate) fn start_note(&self) -> Option<PolicyNote> {
        self.pass.filter(|pass| pass.is_probe).map(|_| (PolicyDecision::BreakerProbe, 0))
    }

    /// Ends the call with this result.
    pub(crate) fn end(mut self, result: &CallResult, at: Instant) -> Option<PolicyNote> {
        self.has_ended = true;
        let TargetCall { target, assessor, .. } = &self.call;
        let is_failure = assessor.assess(result).is_unhealthy;
        let outcome = match result {
            Err(error) if is_failure && error.kind == EffectErrorKind::Timeout => CallOutcome::TimedOut,
            _ => CallOutcome::answered(
                is_failure,
                nanos(at.saturating_duration_since(self.began)),
                self.time_ns(),
            ),
        };
        target.end(self.pass, outcome, self.call.service_ns(at))
    }

    /// Returns the time that the call has to be answered, in nanoseconds.
    fn time_ns(&self) -> u64 {
        let TargetCall { timeout, now: (_, requested), left, .. } = &self.call;
        let left = left.saturating_sub(self.began.saturating_duration_since(*requested));
        nanos(timeout.map_or(left, |timeout| timeout.min(left)))
    }
}

impl Drop for TargetPass {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let now = Instant::now();
        let TargetCall { target, now: (_, began), left, .. } = &self.call;
        if now.saturating_duration_since(*began) >= *left {
            target.end(self.pass, CallOutcome::TimedOut, self.call.service_ns(now));
        } else {
            target.abandon(self.pass);
        }
    }
}
