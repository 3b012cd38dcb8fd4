//! The waits of an effect that policies have caused, and what else they did to it.

use zerver_trace::{PolicyDecision, QueueReason};

use crate::timeline::rows::effect::{Attempt, Effect, PolicyNote};

/// Reason why an effect waited: a policy of its target, or of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyWait {
    /// The rate limit of its target.
    Rate,
    /// The pause before another attempt.
    RetryPause,
    /// The time that the target asked for with `Retry-After`.
    RetryAfter,
    /// The time that the first call of a hedge had to answer.
    Hedge,
}

/// The waits of an effect because of policies, in nanoseconds. A reason can occur several times.
pub(crate) struct PolicyWaits {
    /// Before the last attempt.
    pub(crate) earlier: Vec<(PolicyWait, u64)>,
    /// At the start of the last attempt.
    pub(crate) last: Option<(PolicyWait, u64)>,
}

impl PolicyWait {
    /// Returns the word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::RetryPause => "retry_pause",
            Self::RetryAfter => "retry_after",
            Self::Hedge => "hedge",
        }
    }

    /// Returns the wait of an effect of this kind and summary in words: `wait for the rate limit of rates.example.com`.
    pub fn label(self, kind: &str, summary: &str) -> String {
        let effect = if summary.is_empty() { kind.to_owned() } else { format!("{kind} {summary}") };
        match self {
            Self::Rate => format!("wait for the rate limit of {}", target(kind, summary)),
            Self::RetryPause => format!("retry pauses of {effect}"),
            Self::RetryAfter => format!("wait that {} asked for (Retry-After)", target(kind, summary)),
            Self::Hedge => format!("time before the hedge of {effect}"),
        }
    }
}

/// Returns the target of an effect as far as its summary names it: the host of an HTTP call, or the effect itself.
pub(crate) fn target(kind: &str, summary: &str) -> String {
    match http_host(kind, summary) {
        Some(host) => host.to_owned(),
        None if summary.is_empty() => kind.to_owned(),
        None => format!("{kind} {summary}"),
    }
}

/// Returns the host of an HTTP call with this summary, such as `GET rates.example/latest`.
pub(crate) fn http_host<'s>(kind: &str, summary: &'s str) -> Option<&'s str> {
    let (_, url) = summary.split_once(' ').filter(|_| kind == "http")?;
    url.split(['/', '?']).next().filter(|host| !host.is_empty())
}

impl Effect {
    /// Returns the times that it waited because of policies, with the reasons.
    pub(crate) fn policy_waits(&self) -> PolicyWaits {
        let decided = |attempt: &Attempt, wanted: &[PolicyDecision]| {
            let is_wanted = |note: &PolicyNote| note.call == attempt.call && wanted.contains(&note.decision);
            self.policy_decisions.iter().any(is_wanted)
        };
        let rate = |attempt: &Attempt| {
            let is_rate = attempt.queue_reason == Some(QueueReason::Rate);
            is_rate.then_some((PolicyWait::Rate, attempt.queued_ns))
        };
        let pause = |(at, attempt): (usize, &Attempt)| {
            let before = at.checked_sub(1).and_then(|before| self.attempts.get(before));
            let is_hedge = decided(attempt, &[PolicyDecision::HedgeWon, PolicyDecision::HedgeLost]);
            let is_asked = before.is_some_and(|it| decided(it, &[PolicyDecision::RetryAfterObeyed]));
            let wait = match (is_hedge, is_asked) {
                (true, _) => PolicyWait::Hedge,
                (false, true) => PolicyWait::RetryAfter,
                (false, false) => PolicyWait::RetryPause,
            };
            (wait, attempt.retry_delay_ns)
        };
        let last = self.attempts.len().saturating_sub(1);
        let earlier = self.attempts.iter().take(last).filter_map(rate);
        let waits = self.attempts.iter().enumerate().map(pause).chain(earlier);
        let is_time = |(_, ns): &(PolicyWait, u64)| *ns > 0;
        PolicyWaits {
            earlier: waits.filter(is_time).collect(),
            last: self.attempts.last().and_then(rate).filter(is_time),
        }
    }

    /// Returns the decisions of policies, other than waits, that explain how the effect ended, in words.
    pub(crate) fn policy_ends(&self) -> impl Iterator<Item = String> {
        let is_end = |decision: PolicyDecision| {
            matches!(
                decision,
                PolicyDecision::BreakerRefused
                    | PolicyDecision::BreakerOpened
                    | PolicyDecision::BudgetExhausted
                    | PolicyDecision::RetryAfterTooLong
                    | PolicyDecision::RateRefused
                    | PolicyDecision::TargetTimeout
                    | PolicyDecision::EgressRefused
                    | PolicyDecision::Resent
                    | PolicyDecision::PlaceRefused
            )
        };
        self.policy_decisions.iter().filter(move |note| is_end(note.decision)).map(|note| {
            match note.decision {
                PolicyDecision::BreakerRefused => {
                    format!("circuit breaker of {} was open", target(&self.kind, &self.summary))
                }
                decision => decision.to_string(),
            }
        })
    }
}
